package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"pressrun/newsletter/web/desk"
	"pressrun/subscribers/store"
)

func (a *app) userCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:     "user",
		Short:   "Who may sign in at the desk",
		Example: "  pressrun user add mara@example.org --role editor\n  pressrun user link mara@example.org",
	}, a.userAddCommand(), a.userListCommand(), a.userLinkCommand(), a.userRemoveCommand())
}

// userJSON is a user as --json prints them.
type userJSON struct {
	Email   string    `json:"email"`
	Role    desk.Role `json:"role"`
	Created time.Time `json:"created"`
}

func (a *app) userAddCommand() *cobra.Command {
	var role string
	cmd := &cobra.Command{
		Use:   "add EMAIL --role owner|editor|viewer",
		Short: "Let somebody sign in, or give them another role",
		Long: `A viewer reads; an editor also holds, releases, pauses and cancels; an owner may do everything. Somebody who is known already
gets the role, and signs in anew with it.`,
		Example: "  pressrun user add mara@example.org --role editor",
		Args:    args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, given []string) error {
			return a.with(cmd.Context(), func(s *site) error { return a.userAdd(cmd, s, given[0], role) })
		},
	}
	cmd.Flags().StringVar(&role, "role", "", "owner, editor or viewer")
	return cmd
}

func (a *app) userAdd(cmd *cobra.Command, s *site, email, role string) error {
	ctx := cmd.Context()
	var u desk.User
	err := s.db.InTx(ctx, func(tx *store.Tx) (err error) {
		u, err = desk.AddUser(ctx, tx, email, desk.Role(role), a.now())
		return err
	})
	if errors.Is(err, desk.ErrRole) {
		return usagef(cmd, "--role must be owner, editor or viewer, not %q", role)
	}
	if err != nil {
		return fmt.Errorf("user %s: %w", email, err)
	}
	fmt.Fprintf(a.out, "%s is %s. To sign in: pressrun user link %s\n", u.Email, u.Role, u.Email)
	return nil
}

func (a *app) userListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "Who may sign in",
		Example: "  pressrun user list --json",
		Args:    args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd.Context(), func(s *site) error {
				users, err := desk.Users(cmd.Context(), s.db)
				if err != nil {
					return err
				}
				return a.printUsers(users)
			})
		},
	}
	a.jsonFlag(cmd)
	return cmd
}

func (a *app) printUsers(users []desk.User) error {
	all := []userJSON{}
	for _, u := range users {
		all = append(all, userJSON{u.Email, u.Role, u.Created})
	}
	return a.print(all, func(w io.Writer) {
		if len(all) == 0 {
			fmt.Fprintln(w, "no users: pressrun user add EMAIL --role owner")
			return
		}
		fmt.Fprintln(w, "EMAIL\tROLE\tSINCE")
		for _, u := range all {
			fmt.Fprintf(w, "%s\t%s\t%s\n", u.Email, u.Role, u.Created.Format("2006-01-02"))
		}
	})
}

func (a *app) userLinkCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "link [EMAIL]",
		Short: "Print a link that signs somebody in, once, within an hour",
		Long: `The link opens a page with a button; the button signs in. Without EMAIL it is for the first owner. Whoever has the link can use
it, so hand it over in person: at the desk's own sign-in page it is asked for by mail.`,
		Example: "  pressrun user link mara@example.org",
		Args:    args(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, given []string) error {
			email := ""
			if len(given) > 0 {
				email = given[0]
			}
			return a.with(cmd.Context(), func(s *site) error { return a.userLink(cmd, s, email) })
		},
	}
}

func (a *app) userLink(cmd *cobra.Command, s *site, email string) error {
	ctx := cmd.Context()
	var path string
	err := s.db.InTx(ctx, func(tx *store.Tx) (err error) {
		path, err = desk.NewLink(ctx, tx, email, a.now())
		return err
	})
	switch {
	case errors.Is(err, store.ErrNotFound) && email == "":
		return errors.New("there is no owner: pressrun user add EMAIL --role owner")
	case errors.Is(err, store.ErrNotFound):
		return unknownUser(email, err)
	case err != nil:
		return err
	}
	fmt.Fprintln(a.out, s.absoluteURL(path))
	return nil
}

func (a *app) userRemoveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "remove EMAIL",
		Short:   "Take somebody's access away; they are signed out at once",
		Example: "  pressrun user remove mara@example.org --yes",
		Args:    args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, given []string) error {
			if err := a.confirm(fmt.Sprintf("Remove %s from the desk?", given[0])); err != nil {
				return err
			}
			return a.with(cmd.Context(), func(s *site) error { return a.userRemove(cmd, s, given[0]) })
		},
	}
	a.yesFlag(cmd)
	return cmd
}

func (a *app) userRemove(cmd *cobra.Command, s *site, email string) error {
	ctx := cmd.Context()
	err := s.db.InTx(ctx, func(tx *store.Tx) error { return desk.RemoveUser(ctx, tx, email) })
	if errors.Is(err, store.ErrNotFound) {
		return unknownUser(email, err)
	}
	if err != nil {
		return fmt.Errorf("user %s: %w", email, err)
	}
	fmt.Fprintf(a.out, "%s can't sign in any more.\n", email)
	left, err := desk.Users(ctx, s.db)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(left, func(u desk.User) bool { return u.Role == desk.Owner }) {
		fmt.Fprintln(a.err, "There is no owner any more: pressrun user add EMAIL --role owner")
	}
	return nil
}

func unknownUser(email string, err error) error {
	return fmt.Errorf("user %s: %w: pressrun user list shows who there is", email, err)
}
