package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
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

// errKeyGone says that a domain whose mail was signed here has no key any more.
var errKeyGone = errors.New("it was signed here before, and its folder holds no key")

// errDomainName says that a folder's name could never match a sender's domain.
var errDomainName = errors.New("the folder's name is not in small letters, so its keys would sign nothing: rename it")

// read finds all keys. A folder that isn't there holds none. What can't be read of a domain's is a lost key of it, since its mail must
// not leave without. Names that begin with a dot are left out: no domain does.
func (f dkimFolder) read() (signing, waiting mailer.Keyring, err error) {
	entries, err := os.ReadDir(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("DKIM keys: %w", err)
	}
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), ".") {
			continue
		}
		signs, waits := f.readDomain(entry.Name())
		signing, waiting = append(signing, signs...), append(waiting, waits...)
	}
	return signing, waiting, nil
}

// readDomain finds the keys of a domain; a file beside the domains' folders holds none.
func (f dkimFolder) readDomain(domain string) (signing, waiting mailer.Keyring) {
	folder, name := filepath.Join(string(f), domain), strings.ToLower(domain)
	info, err := os.Stat(folder)
	if err == nil && !info.IsDir() {
		return nil, nil
	}
	var files []os.DirEntry
	if err == nil {
		files, err = os.ReadDir(folder)
	}
	if err != nil {
		return mailer.Keyring{mailer.LostKey(name, "", err)}, nil
	}
	for _, entry := range files {
		ext := filepath.Ext(entry.Name())
		if entry.IsDir() || ext != dkimSigns && ext != dkimWaits {
			continue
		}
		selector := strings.TrimSuffix(entry.Name(), ext)
		key, err := readDKIMKey(filepath.Join(folder, entry.Name()), domain, selector)
		switch {
		case err != nil:
			signing = append(signing, mailer.LostKey(name, selector, err))
		case ext == dkimSigns:
			signing = append(signing, key)
		default:
			waiting = append(waiting, key)
		}
	}
	return signing, waiting
}

func readDKIMKey(file, domain, selector string) (mailer.DKIMKey, error) {
	if domain != strings.ToLower(domain) {
		return mailer.DKIMKey{}, fmt.Errorf("%s: %w", filepath.Dir(file), errDomainName)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return mailer.DKIMKey{}, err
	}
	key, err := mailer.ParseDKIMKey(domain, selector, text)
	if err != nil {
		return key, fmt.Errorf("%s: %w", file, err)
	}
	return key, nil
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
			waits = waits || other.Lost() == nil && other.Algorithm() == key.Algorithm()
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
// A key that can't be renamed waits on, and the error says so of each; the others are adopted.
func (f dkimFolder) adopt(ctx context.Context, lookup lookupTXT) (adopted []mailer.DKIMKey, err error) {
	_, waiting, err := f.read()
	if err != nil {
		return nil, err
	}
	var errs []error
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
			errs = append(errs, fmt.Errorf("DKIM keys: %w", err))
			continue
		}
		adopted = append(adopted, key)
	}
	return adopted, errors.Join(errs...)
}

// keepDomains is what a running process signs with after another reading: fresh, and the keys of before for each domain still signed
// here that has none now that can be read. A folder that was unmounted looks like that.
func keepDomains(before, fresh mailer.Keyring, signed []string) (keys mailer.Keyring, kept []mailer.DKIMKey) {
	has := map[string]bool{}
	for _, key := range fresh {
		has[key.Domain] = has[key.Domain] || key.Lost() == nil
	}
	keys = slices.Clone(fresh)
	for _, key := range before {
		if key.Lost() == nil && !has[key.Domain] && slices.Contains(signed, key.Domain) {
			keys, kept = append(keys, key), append(kept, key)
		}
	}
	return keys, kept
}
