// Package faces lists the faces of the service. A new face needs its own package and
// one line here.
package faces

import (
	"apitoken/functions/httpapi"
	"apitoken/functions/httpapi/machine"
	"apitoken/functions/httpapi/vast"
)

// All returns every face: the HTTP interfaces that serve and the Lambda functions
// answer.
func All() []machine.Face {
	return []machine.Face{
		httpapi.Face(),
		vast.Face(),
	}
}

// Routes returns the routes of all faces.
func Routes() []machine.Route { return machine.Routes(All()...) }
