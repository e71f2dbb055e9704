package settings

import (
	"maps"
	"slices"

	"apitoken/events"
	"apitoken/events/name"
	"apitoken/events/token"
)

const (
	// MaxGroups is the largest number of groups with actions, of all providers together.
	// It binds an operator too.
	MaxGroups = 100
	// MaxGroup is the limit of the name of a group, in bytes.
	MaxGroup = 256
)

// CodeTooManyGroups is the code of the refusal above MaxGroups.
const CodeTooManyGroups = "too_many_groups"

// The members of a request about a group, as refusals name them.
const (
	FieldAlias = "alias"
	FieldGroup = "group"
)

// GroupActions returns the actions that the groups of an identity provider give to a
// session, in the order of Actions.
func (s State) GroupActions(alias string, groups []string) (actions []string) {
	for _, action := range Actions() {
		if slices.ContainsFunc(groups, func(g string) bool { return slices.Contains(s.Groups[alias][g], action) }) {
			actions = append(actions, action)
		}
	}
	return actions
}

// Group is a group of an identity provider with the actions that it gives.
type Group struct {
	Alias   string
	Group   string
	Actions []string
}

// AllGroups returns the groups that give actions, by alias and name.
func (s State) AllGroups() (all []Group) {
	for _, alias := range slices.Sorted(maps.Keys(s.Groups)) {
		for _, group := range slices.Sorted(maps.Keys(s.Groups[alias])) {
			all = append(all, Group{Alias: alias, Group: group, Actions: slices.Clone(s.Groups[alias][group])})
		}
	}
	return all
}

func mapGroup(s State, c MapGroup) ([]events.Fact, error) {
	if err := checkGroup(c); err != nil {
		return nil, err
	}
	actions, err := ordered(c.Actions)
	if err != nil {
		return nil, err
	}
	before := s.Groups[c.Alias][c.Group]
	if err := checkMaker(s, c.By, changedActions(actions, before)); err != nil {
		return nil, err
	}
	switch {
	case slices.Equal(actions, before):
		return nil, nil
	case len(before) == 0 && len(s.AllGroups()) >= MaxGroups:
		return nil, refuse(CodeTooManyGroups, FieldGroup, "%d groups give permissions, which is the maximum; take all permissions from one of them first", MaxGroups)
	}
	return []events.Fact{events.GroupChanged{Alias: c.Alias, Group: c.Group, Actions: actions}}, nil
}

func checkGroup(c MapGroup) error {
	if err := name.CheckAlias(c.Alias); err != nil {
		return refuse(token.CodeInvalidField, FieldAlias, "%s", err)
	}
	if c.Group == "" {
		return refuse(token.CodeInvalidField, FieldGroup, "the group is empty; give its name as the identity provider writes it")
	}
	return name.CheckText(FieldGroup, c.Group, MaxGroup)
}

func mapped(s State, f events.GroupChanged) State {
	groups, of := maps.Clone(s.Groups), maps.Clone(s.Groups[f.Alias])
	if groups == nil {
		groups = map[string]map[string][]string{}
	}
	if of == nil {
		of = map[string][]string{}
	}
	if of[f.Group] = slices.Clone(f.Actions); len(f.Actions) == 0 {
		delete(of, f.Group)
	}
	if groups[f.Alias] = of; len(of) == 0 {
		delete(groups, f.Alias)
	}
	if s.Groups = groups; len(groups) == 0 {
		s.Groups = nil
	}
	return s
}
