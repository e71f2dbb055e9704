package events

import (
	"errors"
	"strings"
)

// sourcePrefix is the beginning of the CloudEvents source of every published
// event. The id of the deployment follows.
const sourcePrefix = "urn:apitoken:"

// maxDeployment is the limit of bytes in the id of a deployment. A UUID has 36.
const maxDeployment = 64

var errDeployment = errors.New("the id of a deployment must have 1 to 64 letters, digits and hyphens, like a UUID")

// Issuer is the name of a deployment as a URI: the source of its events, and the
// issuer of its tokens.
func Issuer(deployment string) string { return sourcePrefix + deployment }

// ValidDeployment returns an error unless the text can be the id of a deployment.
// Two deployments must never have the same id: a consumer of both would take the
// events of one for repeats of the other's. A stack on AWS has the UUID in its
// stack id. A local store makes a random id and keeps it.
func ValidDeployment(id string) error {
	const allowed = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-"
	if id == "" || len(id) > maxDeployment || strings.Trim(id, allowed) != "" {
		return errDeployment
	}
	return nil
}
