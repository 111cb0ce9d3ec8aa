package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func (a *app) migrateCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "migrate",
		Short:   "Bring the database's tables up to date",
		Long:    "Every command does this before it starts; migrate does it alone, such as after an update while serve is stopped.",
		Example: "  pressrun migrate",
		Args:    args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd.Context(), func(s *site) error {
				_, err := fmt.Fprintf(a.out, "%s is up to date\n", s.cfg.Database)
				return err
			})
		},
	}
}
