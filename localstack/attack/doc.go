// Package attack plays a person who can write everything in the store and has no
// pepper. Its tests run the whole service over HTTP, on the embedded store and on
// DynamoDB Local. Between the calls they change stored items with a client of
// their own: bbolt on the file, plain requests on the table.
//
// The tests find the members of an item in the item itself. So they also attack
// the members of later versions of the layout.
//
// A changed member must be a fault (5xx) at the next call that reads the item. It
// must never let a token pass, and never look like a refusal. Only a whole older
// item that was put back, and a deleted item, may remain unseen until a comparison
// with the audit copies.
//
// Only tests are in this package.
package attack
