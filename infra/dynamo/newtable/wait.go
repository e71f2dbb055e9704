package newtable

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// The waits. AWS makes a table in about ten seconds. It says that a change of the
// time to live may take up to an hour (API reference, UpdateTimeToLive), but most
// changes take some seconds. The table can be used meanwhile.
const (
	waitTime   = 10 * time.Minute
	firstPause = 200 * time.Millisecond
	maxPause   = 5 * time.Second
)

var errWaited = errors.New("the wait is over")

// await calls ready until it is true or fails. It pauses longer each time. After
// waitTime it returns errWaited.
func await(ctx context.Context, ready func() (bool, error)) error {
	for pause, waited := firstPause, time.Duration(0); ; pause = min(2*pause, maxPause) {
		done, err := ready()
		if done || err != nil {
			return err
		}
		if waited += pause; waited > waitTime {
			return errWaited
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// awaitActive returns the description of the table when it is active.
func (m *maker) awaitActive(ctx context.Context) (d *types.TableDescription, err error) {
	var last types.TableStatus
	err = await(ctx, func() (bool, error) {
		d, err = m.describe(ctx)
		if _, missing := errors.AsType[*types.ResourceNotFoundException](err); missing && m.result.Made {
			return false, nil // DescribeTable is eventually consistent (its API reference)
		}
		if err != nil {
			return false, err
		}
		if d.TableStatus != last && d.TableStatus != types.TableStatusActive {
			m.Waiting(fmt.Sprintf("waiting for table %s, which is %s", m.table, d.TableStatus))
		}
		switch last = d.TableStatus; last {
		case types.TableStatusActive:
			return true, nil
		case types.TableStatusCreating, types.TableStatusUpdating:
			return false, nil
		}
		return false, fmt.Errorf("table %s is %s: a new table of this name can be created when the old one is gone", m.table, last)
	})
	if errors.Is(err, errWaited) {
		err = fmt.Errorf("table %s is still %s after %v: run the command again to continue", m.table, last, waitTime)
	}
	return d, err
}
