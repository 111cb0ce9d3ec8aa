package series

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"pressrun/subscribers/store"
)

// Bounds of a stored picture.
const (
	MaxPictureBytes = 1_000_000
	MaxPictureSide  = 4000 // pixels
	MaxPictures     = 50   // of one article
)

// Picture is a picture as letters and pages show it. It never changes.
type Picture struct {
	Path          string // as the text names it; only on its way in
	Type          string // image/jpeg or image/png
	Width, Height int    // pixels
	Bytes         []byte
}

// Hash names a picture by its bytes: SHA-256, hex.
func (p Picture) Hash() string {
	sum := sha256.Sum256(p.Bytes)
	return hex.EncodeToString(sum[:])
}

// File is the name under which a picture is served: its hash with the ending of its type.
func (p Picture) File(hash string) string {
	if p.Type == "image/png" {
		return hash + ".png"
	}
	return hash + ".jpg"
}

func (p Picture) check() error {
	switch {
	case p.Type != "image/jpeg" && p.Type != "image/png":
		return wrong(ErrInvalid, "picture %s: it is %q, and letters show JPEG and PNG only", printable(p.Path), p.Type)
	case len(p.Bytes) == 0 || len(p.Bytes) > MaxPictureBytes:
		return wrong(ErrInvalid, "picture %s: it has %d bytes; 1 to %d can be stored", printable(p.Path), len(p.Bytes), MaxPictureBytes)
	case min(p.Width, p.Height) < 1 || max(p.Width, p.Height) > MaxPictureSide:
		return wrong(ErrInvalid, "picture %s: %d x %d pixels can't be shown; 1 to %d a side can", printable(p.Path), p.Width, p.Height, MaxPictureSide)
	}
	return nil
}

const addPicture = `INSERT INTO pictures (hash, type, width, height, created, bytes) VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (hash) DO NOTHING`

// keep stores a picture, unless it is there.
func (p Picture) keep(ctx context.Context, tx *store.Tx, now time.Time) error {
	_, err := tx.Exec(ctx, addPicture, p.Hash(), p.Type, p.Width, p.Height, millis(now), p.Bytes)
	if err != nil {
		return fmt.Errorf("picture %s: %w", printable(p.Path), err)
	}
	return nil
}

const pictureByHash = `SELECT type, width, height, bytes FROM pictures WHERE hash = ?1`

// PictureByHash returns store.ErrNotFound for an unknown picture.
func PictureByHash(ctx context.Context, q store.Querier, hash string) (Picture, error) {
	var p Picture
	if err := q.QueryRow(ctx, pictureByHash, hash).Scan(&p.Type, &p.Width, &p.Height, &p.Bytes); err != nil {
		return Picture{}, fmt.Errorf("picture %s: %w", printable(hash), err)
	}
	return p, nil
}

const pictureSize = `SELECT type, width, height FROM pictures WHERE hash = ?1`

// PicturesOf are an article's pictures by their paths, without bytes.
func PicturesOf(ctx context.Context, q store.Querier, a Article) (map[string]Picture, error) {
	all := make(map[string]Picture, len(a.Pictures))
	for path, hash := range a.Pictures {
		p := Picture{Path: path}
		if err := q.QueryRow(ctx, pictureSize, hash).Scan(&p.Type, &p.Width, &p.Height); err != nil {
			return nil, fmt.Errorf("article %s: picture %s: %w", a.Slug, printable(path), err)
		}
		all[path] = p
	}
	return all, nil
}
