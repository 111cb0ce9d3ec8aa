package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"pressrun/subscribers"
	"pressrun/subscribers/store"
)

// aboutFlags are the flags that say what is known about somebody.
type aboutFlags struct {
	name, language, zone string
	fields, tags, untags []string
}

func (f *aboutFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.name, "name", "", "their name")
	cmd.Flags().StringVar(&f.language, "language", "", "their language, such as de or pt-BR")
	cmd.Flags().StringVar(&f.zone, "zone", "", "their time zone, such as Europe/Berlin")
	cmd.Flags().StringArrayVar(&f.fields, "field", nil, "a field of your own as NAME=VALUE; NAME= takes it away (repeat)")
	cmd.Flags().StringArrayVar(&f.tags, "tag", nil, "a tag (repeat)")
}

// change is what the flags that were given say.
func (f *aboutFlags) change(cmd *cobra.Command) (c subscribers.Change, err error) {
	for flag, to := range map[string]struct {
		value *string
		to    **string
	}{"name": {&f.name, &c.Name}, "language": {&f.language, &c.Language}, "zone": {&f.zone, &c.Zone}} {
		if cmd.Flags().Changed(flag) {
			*to.to = to.value
		}
	}
	c.Tag, c.Untag, c.Fields = f.tags, f.untags, map[string]string{}
	for _, field := range f.fields {
		name, value, ok := strings.Cut(field, "=")
		if name = strings.TrimSpace(name); !ok || name == "" {
			return c, usagef(cmd, "--field must be NAME=VALUE, not %q", field)
		}
		c.Fields[name] = strings.TrimSpace(value)
	}
	return c, nil
}

// given says whether any of the flags was.
func (f *aboutFlags) given(cmd *cobra.Command) bool {
	return len(f.fields)+len(f.tags)+len(f.untags) > 0 || cmd.Flags().Changed("name") || cmd.Flags().Changed("language") || cmd.Flags().Changed("zone")
}

func (a *app) subscriberSetCommand() *cobra.Command {
	var f aboutFlags
	cmd := &cobra.Command{
		Use:   "set EMAIL",
		Short: "Change what is known about somebody: name, language, time zone, fields, tags",
		Long: `Only what is named is changed. Fields and tags pick people by --where, in list, export and issue announce. Tags have no capitals and
no commas. It never changes whether somebody is mailed.`,
		Example: "  pressrun subscriber set ada@example.org --tag vip --untag guest --field Town=\"Port Ellery\"\n" +
			"  pressrun subscriber set ada@example.org --language de --zone Europe/Berlin --field Town=",
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, given []string) error {
			if !f.given(cmd) {
				return usagef(cmd, "say what to change: --name, --language, --zone, --field, --tag or --untag")
			}
			c, err := f.change(cmd)
			if err != nil {
				return err
			}
			return a.with(cmd.Context(), func(s *site) error {
				if err := s.setPerson(cmd.Context(), given[0], c); err != nil {
					return err
				}
				shown, err := s.publisher.Person(cmd.Context(), given[0])
				if err != nil {
					return err
				}
				return a.print(shown, func(w io.Writer) { printAbout(w, shown) })
			})
		},
	}
	f.add(cmd)
	cmd.Flags().StringArrayVar(&f.untags, "untag", nil, "a tag to take away (repeat)")
	a.jsonFlag(cmd)
	return cmd
}

func (s *site) setPerson(ctx context.Context, email string, c subscribers.Change) error {
	err := s.db.InTx(ctx, func(tx *store.Tx) error {
		_, err := subscribers.SetPerson(ctx, tx, email, c)
		return err
	})
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, subscribers.ErrAddress) {
		return typed(email, err)
	}
	if err != nil {
		return fmt.Errorf("subscriber %s: %w", email, err)
	}
	return nil
}
