// Package container has an example for Docker Compose, apitoken with nginx in front of
// a service, and the tests of the container image. The image itself is
// localstack/Dockerfile, which localstack/image.sh builds.
//
// One scenario runs in two kinds of containers: in Docker, if its daemon is there, and in
// a bare one, if the tests run as root: the files of the image are the root of a process, with the
// user, the variables and the commands of the Dockerfile.
package container
