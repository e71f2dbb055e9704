// Package newtable makes the table of the store where no template makes it, with the
// definition of infra/dynamo.
//
// It promises:
//   - A table that exists is never changed, except one without items whose creation
//     was interrupted: Create then switches on what is still off.
//   - A returned Result says that the table can be used, and that it has every setting
//     of the definition except those that the service does not know.
//   - A repeated call continues where an interrupted one ended.
//
// The package is separate from infra/dynamo, because no Lambda function makes a table.
package newtable

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"apitoken/infra/dynamo"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Options are the choices of a caller. The zero value is a table that DeleteTable
// deletes.
type Options struct {
	// Protected refuses DeleteTable, as the template's parameter DeletionProtection
	// does.
	Protected bool

	// Waiting is called when a wait begins, with a sentence about it; nil: not called.
	Waiting func(string)
}

// Result is what Create did.
type Result struct {
	Made     bool     // false: the table existed
	Finished []string // the settings of an existing table without items that were switched on
	LeftOut  []string // the settings that the service does not know
}

// DifferentError is the error for a table that differs from the definition. Create
// changed nothing then, unless Made is set.
type DifferentError struct {
	Table       string
	Made        bool     // by this call: the service made another table than Create asked for
	Differences []string // each with the setting, its value and the wanted value
}

func (e *DifferentError) Error() string {
	what := "exists and differs; nothing was changed"
	if e.Made {
		what = "was created, but the service made it different"
	}
	return fmt.Sprintf("table %s %s: %s", e.Table, what, strings.Join(e.Differences, "; "))
}

// Create makes the table and waits until it and its time to live are active. The
// caller needs the rights DescribeTable, CreateTable, DescribeTimeToLive,
// UpdateTimeToLive, DescribeContinuousBackups and UpdateContinuousBackups, and Scan to
// continue an interrupted creation.
//
// If the table exists, Create compares it with the definition. The error is a
// *DifferentError if they differ.
func Create(ctx context.Context, client *dynamodb.Client, table string, o Options) (Result, error) {
	m := &maker{client: client, table: table, Options: o}
	if m.Waiting == nil {
		m.Waiting = func(string) {}
	}
	_, err := m.describe(ctx)
	if _, missing := errors.AsType[*types.ResourceNotFoundException](err); missing {
		m.result.Made = true
		err = m.create(ctx)
	}
	if err != nil {
		return m.result, err
	}
	return m.result, m.settle(ctx)
}

type maker struct {
	client *dynamodb.Client
	table  string
	Options
	result Result
}

func (m *maker) definition() *dynamodb.CreateTableInput {
	d := dynamo.Table(m.table)
	d.DeletionProtectionEnabled = &m.Protected
	return d
}

// create starts the creation. It is no error if another caller started one at the
// same time, or if an earlier attempt of the SDK did, whose answer got lost.
func (m *maker) create(ctx context.Context) error {
	_, err := m.client.CreateTable(ctx, m.definition())
	if _, exists := errors.AsType[*types.ResourceInUseException](err); err != nil && !exists {
		return fmt.Errorf("creating table %s: %w", m.table, err)
	}
	return nil
}

// settle waits for the table, compares it, and switches on the settings that are off.
func (m *maker) settle(ctx context.Context) error {
	d, err := m.awaitActive(ctx)
	if err != nil {
		return err
	}
	differences := m.compare(d)
	todo, more, err := m.readSettings(ctx)
	if err != nil {
		return err
	}
	differences = append(differences, more...)
	off := offOf(todo)
	finish := m.result.Made
	if !finish && len(differences) == 0 && len(off) > 0 {
		if finish, err = m.isEmpty(ctx); err != nil {
			return err
		}
	}
	if !finish {
		differences = append(differences, off...)
	}
	if len(differences) > 0 {
		return &DifferentError{Table: m.table, Made: m.result.Made, Differences: differences}
	}
	for _, s := range todo {
		if err := m.switchOn(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// compare returns the differences between the table and the definition. A service
// that does not return deletion protection does not know it: DynamoDB returns it for
// each table.
func (m *maker) compare(d *types.TableDescription) []string {
	want, got := wanted(m.definition()), described(d)
	if d.DeletionProtectionEnabled == nil && m.Protected {
		delete(want, deletionProtection)
		m.result.LeftOut = append(m.result.LeftOut, deletionProtection)
	}
	return compare(got, want)
}

// isEmpty reports whether the table has no item: nobody uses it yet.
func (m *maker) isEmpty(ctx context.Context) (bool, error) {
	out, err := m.client.Scan(ctx, &dynamodb.ScanInput{
		TableName: &m.table, Limit: aws.Int32(1), ConsistentRead: aws.Bool(true), Select: types.SelectCount,
	})
	if err != nil {
		return false, fmt.Errorf("reading whether table %s has items: %w", m.table, err)
	}
	return out.Count == 0, nil
}

func (m *maker) describe(ctx context.Context) (*types.TableDescription, error) {
	out, err := m.client.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &m.table})
	if err != nil {
		return nil, fmt.Errorf("describing table %s: %w", m.table, err)
	}
	return out.Table, nil
}
