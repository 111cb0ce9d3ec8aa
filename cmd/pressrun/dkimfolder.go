package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"pressrun/newsletter/mailer"
)

// A dkimFolder holds our DKIM keys, one file each: DOMAIN/SELECTOR.pem signs, DOMAIN/SELECTOR.waiting doesn't yet. The first
// key of a domain signs at once: what can't be found in DNS counts as no signature, which is what the mail had before. Each
// later one waits until its record was seen in DNS; then its file is renamed, and it takes over.
type dkimFolder string

const (
	dkimSigns = ".pem"
	dkimWaits = ".waiting"
)

// read finds all keys. A folder that isn't there holds none; a key that can't be read is an error, since mail of its domain
// must not leave without it.
func (f dkimFolder) read() (signing, waiting mailer.Keyring, err error) {
	files, err := filepath.Glob(filepath.Join(string(f), "*", "*"))
	if err != nil {
		return nil, nil, fmt.Errorf("DKIM keys: %w", err)
	}
	for _, file := range files {
		ext := filepath.Ext(file)
		if ext != dkimSigns && ext != dkimWaits {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, nil, fmt.Errorf("DKIM keys: %w", err)
		}
		key, err := mailer.ParseDKIMKey(filepath.Base(filepath.Dir(file)), strings.TrimSuffix(filepath.Base(file), ext), text)
		if err != nil {
			return nil, nil, fmt.Errorf("DKIM keys: %s: %w", file, err)
		}
		if ext == dkimSigns {
			signing = append(signing, key)
		} else {
			waiting = append(waiting, key)
		}
	}
	return signing, waiting, nil
}

func (f dkimFolder) file(key mailer.DKIMKey, ext string) string {
	return filepath.Join(string(f), key.Domain, key.Selector+ext)
}

// add makes a key and its file, which only this user can read.
func (f dkimFolder) add(domain string, ed bool, now time.Time) (key mailer.DKIMKey, waits bool, err error) {
	signing, waiting, err := f.read()
	if err != nil {
		return key, false, err
	}
	if key, err = mailer.NewDKIMKey(domain, "", ed); err != nil {
		return key, false, err
	}
	taken := map[string]bool{}
	for _, other := range append(signing, waiting...) {
		if other.Domain == key.Domain {
			taken[other.Selector] = true
			waits = waits || other.Algorithm() == key.Algorithm()
		}
	}
	if key.Selector, err = freeSelector(key, taken, now); err != nil {
		return key, false, err
	}
	text, err := key.PEM()
	if err != nil {
		return key, false, err
	}
	ext := dkimSigns
	if waits {
		ext = dkimWaits
	}
	return key, waits, writeSecret(f.file(key, ext), text)
}

// freeSelector names a key after its day; a later one sorts behind an earlier one.
func freeSelector(key mailer.DKIMKey, taken map[string]bool, now time.Time) (string, error) {
	day := map[string]string{"rsa": "p", "ed25519": "e"}[key.Algorithm()] + now.UTC().Format("20060102")
	for _, suffix := range strings.Split(" bcdefghijklmnopqrstuvwxyz", "") {
		if selector := strings.TrimSpace(day + suffix); !taken[selector] {
			return selector, nil
		}
	}
	return "", fmt.Errorf("%s has more keys of today than letters: nothing was made", key.Domain)
}

// writeSecret makes a file for this user alone; an existing one is never replaced.
func writeSecret(file string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return fmt.Errorf("DKIM keys: %w", err)
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("DKIM keys: %w", err)
	}
	_, err = f.Write(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("DKIM keys: %w", err)
	}
	return nil
}

// lookupTXT finds the TXT records of a name.
type lookupTXT func(ctx context.Context, name string) ([]string, error)

// adopt has the waiting keys sign whose records can be seen by now. What DNS doesn't say changes nothing.
func (f dkimFolder) adopt(ctx context.Context, lookup lookupTXT) (adopted []mailer.DKIMKey, err error) {
	_, waiting, err := f.read()
	if err != nil {
		return nil, err
	}
	for _, key := range waiting {
		records, err := lookup(ctx, key.Name())
		if err != nil || !key.Published(records) {
			continue
		}
		err = os.Rename(f.file(key, dkimWaits), f.file(key, dkimSigns))
		if errors.Is(err, fs.ErrNotExist) {
			continue // another process was faster
		}
		if err != nil {
			return adopted, fmt.Errorf("DKIM keys: %w", err)
		}
		adopted = append(adopted, key)
	}
	return adopted, nil
}
