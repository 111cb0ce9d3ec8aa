package main

import "github.com/spf13/cobra"

// contract: owned by the engineer of this subcommand; replace the whole file.
func (a *app) userCommand() *cobra.Command { return group(&cobra.Command{Use: "user"}) }
