package newtable

import (
	"context"
	"errors"
	"fmt"

	"apitoken/infra/dynamo"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
)

// setting is a setting of a table with calls of its own.
type setting struct {
	name, want string

	// read returns the value of the setting, none if it is off. It reports whether
	// the service still changes to this value.
	read   func(context.Context) (value string, changing bool, err error)
	enable func(context.Context) error

	starting bool // when it was read, the service was switching it on
}

func (m *maker) settings() []setting {
	ttl, recovery := dynamo.TimeToLive(m.table), dynamo.Recovery(m.table)
	return []setting{
		{
			name: "time to live", want: "attribute " + *ttl.TimeToLiveSpecification.AttributeName, read: m.readTimeToLive,
			enable: func(ctx context.Context) error { _, err := m.client.UpdateTimeToLive(ctx, ttl); return err },
		},
		{
			name: "point-in-time recovery", want: on, read: m.readRecovery,
			enable: func(ctx context.Context) error {
				_, err := m.client.UpdateContinuousBackups(ctx, recovery)
				return err
			},
		},
	}
}

func (m *maker) readTimeToLive(ctx context.Context) (value string, changing bool, err error) {
	out, err := m.client.DescribeTimeToLive(ctx, &dynamodb.DescribeTimeToLiveInput{TableName: &m.table})
	if err != nil || out.TimeToLiveDescription == nil {
		return none, false, err
	}
	d := out.TimeToLiveDescription
	switch d.TimeToLiveStatus {
	case types.TimeToLiveStatusEnabled, types.TimeToLiveStatusEnabling:
		return "attribute " + aws.ToString(d.AttributeName), d.TimeToLiveStatus == types.TimeToLiveStatusEnabling, nil
	case types.TimeToLiveStatusDisabling:
		return none, true, nil
	}
	return none, false, nil
}

func (m *maker) readRecovery(ctx context.Context) (value string, changing bool, err error) {
	out, err := m.client.DescribeContinuousBackups(ctx, &dynamodb.DescribeContinuousBackupsInput{TableName: &m.table})
	if err != nil || out.ContinuousBackupsDescription == nil || out.ContinuousBackupsDescription.PointInTimeRecoveryDescription == nil {
		return none, false, err
	}
	if out.ContinuousBackupsDescription.PointInTimeRecoveryDescription.PointInTimeRecoveryStatus == types.PointInTimeRecoveryStatusEnabled {
		return on, false, nil
	}
	return none, false, nil
}

// readSettings returns the settings that are off or starting, and the differences of
// the others. A setting that the service does not know is left out.
func (m *maker) readSettings(ctx context.Context) (todo []setting, differences []string, err error) {
	for _, s := range m.settings() {
		value, changing, err := s.read(ctx)
		switch {
		case isUnknown(err):
			m.result.LeftOut = append(m.result.LeftOut, s.name)
		case err != nil:
			return nil, nil, fmt.Errorf("reading the %s of table %s: %w", s.name, m.table, err)
		case value == s.want && !changing:
		case value == s.want, value == none && !changing:
			s.starting = changing
			todo = append(todo, s)
		default:
			differences = append(differences, difference(s.name, changingTo(value, changing), s.want))
		}
	}
	return todo, differences, nil
}

func changingTo(value string, changing bool) string {
	if changing {
		return "changing to " + value
	}
	return value
}

// offOf returns the differences of the settings that are off.
func offOf(todo []setting) (differences []string) {
	for _, s := range todo {
		if !s.starting {
			differences = append(differences, difference(s.name, none, s.want))
		}
	}
	return differences
}

// switchOn enables a setting and waits until it is on. Another process may enable it
// at the same time: then the setting counts, not the error.
func (m *maker) switchOn(ctx context.Context, s setting) error {
	if s.starting {
		return m.awaitSetting(ctx, s)
	}
	err := await(ctx, func() (bool, error) {
		err := s.enable(ctx)
		if _, early := errors.AsType[*types.ContinuousBackupsUnavailableException](err); early {
			return false, nil // the service still prepares the backups of a new table
		}
		return true, err
	})
	switch {
	case isUnknown(err):
		m.result.LeftOut = append(m.result.LeftOut, s.name)
		return nil
	case err != nil:
		if value, _, rerr := s.read(ctx); rerr != nil || value != s.want {
			return fmt.Errorf("switching on the %s of table %s: %w", s.name, m.table, err)
		}
	case !m.result.Made:
		m.result.Finished = append(m.result.Finished, s.name)
	}
	return m.awaitSetting(ctx, s)
}

// awaitSetting waits until the setting is on. A service may first return the old
// value, because its reads are eventually consistent.
func (m *maker) awaitSetting(ctx context.Context, s setting) error {
	said := false
	err := await(ctx, func() (bool, error) {
		value, changing, err := s.read(ctx)
		if err != nil {
			return false, fmt.Errorf("reading the %s of table %s: %w", s.name, m.table, err)
		}
		if value == s.want && !changing {
			return true, nil
		}
		if !said {
			m.Waiting(fmt.Sprintf("waiting until the %s of table %s is on; the table can already be used", s.name, m.table))
		}
		said = true
		return false, nil
	})
	if errors.Is(err, errWaited) {
		err = fmt.Errorf("the %s of table %s is still not on after %v: the table can be used, and the same command waits again", s.name, m.table, waitTime)
	}
	return err
}

// isUnknown reports whether the service does not have the operation. AWS and most
// services name this error in the same way. A missing right is another error.
func isUnknown(err error) bool {
	e, ok := errors.AsType[smithy.APIError](err)
	return ok && (e.ErrorCode() == "UnknownOperationException" || e.ErrorCode() == "UnknownOperation")
}
