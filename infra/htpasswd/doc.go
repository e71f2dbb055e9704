// Package htpasswd reads a password file in the form of Apache's htpasswd, and
// compares passwords with it.
//
// It accepts bcrypt only, with a cost that is neither weak nor slow. It promises that a
// wrong password takes the same number of rounds of bcrypt for each user name, also for
// one that the file does not have. No error has a text of the file. The package leaves
// the names of users, the number of tries and the mode of the file to its callers.
package htpasswd
