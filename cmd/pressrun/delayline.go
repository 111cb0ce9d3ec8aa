package main

import (
	"io"
	"time"
)

// delayLine lets out what is written into it after a while, each piece by itself: a long way, not a slow one.
type delayLine struct {
	latency time.Duration
	pieces  chan piece
	ended   chan error
}

type piece struct {
	octets []byte
	due    time.Time
}

// newDelayLine makes one that ends in out and closes it.
func newDelayLine(out io.WriteCloser, latency time.Duration) *delayLine {
	d := &delayLine{latency, make(chan piece, 256), make(chan error, 1)}
	go func() {
		var err error
		for p := range d.pieces {
			time.Sleep(time.Until(p.due))
			if err == nil {
				_, err = out.Write(p.octets)
			}
		}
		d.ended <- out.Close()
	}()
	return d
}

func (d *delayLine) Write(p []byte) (int, error) {
	d.pieces <- piece{append([]byte(nil), p...), time.Now().Add(d.latency)}
	return len(p), nil
}

// Close waits until all is out.
func (d *delayLine) Close() error {
	close(d.pieces)
	return <-d.ended
}
