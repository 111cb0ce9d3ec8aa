package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"pressrun/newsletter/mailer/catcher"
	"pressrun/newsletter/series"
)

func (a *app) previewCommand() *cobra.Command {
	var email, dir string
	cmd := &cobra.Command{
		Use:   "preview SERIES [ARTICLE]",
		Short: "Write a letter as its readers will see it: message.eml, message.html, message.txt, index.html",
		Long: `Renders the next article, or the named one, as the whole message, and sends nothing. The links in it are inert: the
unsubscribe link belongs to nobody. index.html shows it in a browser: on a desktop and a phone, in the dark, without pictures, as text
and as it goes over the wire. Pictures are in that file, so that serve need not run.`,
		Example: "  pressrun preview skin\n  pressrun preview skin leaky-gut --for ada@example.org --out preview",
		Args:    args(cobra.RangeArgs(1, 2)),
		RunE: func(cmd *cobra.Command, given []string) error {
			article := ""
			if len(given) > 1 {
				article = given[1]
			}
			return a.with(cmd.Context(), func(s *site) error {
				v, err := s.publisher.Preview(cmd.Context(), given[0], article, email)
				if err != nil {
					return err
				}
				views, err := catcher.Views(v.EML, within(v.Pictures))
				if err != nil {
					return err
				}
				parts := map[string][]byte{"index.html": views, "message.eml": v.EML, "message.html": []byte(v.HTML), "message.txt": []byte(v.Text)}
				files, err := writePreview(dir, parts, email != "")
				if err != nil {
					return err
				}
				return a.print(previewed{given[0], v.Article, v.Subject, files}, func(w io.Writer) {
					fmt.Fprintf(w, "“%s” (article %s)\n", v.Subject, v.Article)
					for _, file := range files {
						fmt.Fprintln(w, file)
					}
				})
			})
		},
	}
	cmd.Flags().StringVar(&email, "for", "", "as this subscriber would get it")
	cmd.Flags().StringVar(&dir, "out", ".", "the folder to write into; it is made where it is missing")
	a.jsonFlag(cmd)
	return cmd
}

// within has pictures stand in a page instead of their addresses.
func within(pictures map[string]series.Picture) *strings.Replacer {
	var pairs []string
	for address, picture := range pictures {
		pairs = append(pairs, address, "data:"+picture.Type+";base64,"+base64.StdEncoding.EncodeToString(picture.Bytes))
	}
	return strings.NewReplacer(pairs...)
}

// previewed is what preview prints.
type previewed struct {
	Series  string   `json:"series"`
	Article string   `json:"article"`
	Subject string   `json:"subject"`
	Files   []string `json:"files"`
}

// writePreview writes the parts of a message into dir and returns their paths in order. Where name and address of a person
// stand in them they are their owner's alone to read.
func writePreview(dir string, parts map[string][]byte, personal bool) ([]string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("preview: %w", err)
	}
	var files []string
	for _, name := range []string{"message.eml", "message.html", "message.txt", "index.html"} {
		file := filepath.Join(dir, name)
		if err := writePart(file, parts[name], personal); err != nil {
			return nil, fmt.Errorf("preview: %w", err)
		}
		files = append(files, file)
	}
	return files, nil
}

// writePart is os.WriteFile, but a personal part is closed to others before it is written, also where the file is there.
func writePart(file string, content []byte, personal bool) error {
	mode := os.FileMode(0o644)
	if personal {
		mode = 0o600
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	if personal {
		err = f.Chmod(mode)
	}
	if err == nil {
		_, err = f.Write(content)
	}
	return errors.Join(err, f.Close())
}
