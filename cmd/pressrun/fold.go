package main

import "fmt"

// fold is a row, or several of a series that say the same, as one line shows them.
type fold[T any] struct {
	first, last T
	n           int
}

// folded joins each row to the line of its series above it where same says so.
func folded[T any](rows []T, series func(T) string, same func(a, b T) bool) []fold[T] {
	var lines []fold[T]
	latest := map[string]int{} // line of each series
	for _, row := range rows {
		i, known := latest[series(row)]
		if known && same(lines[i].last, row) {
			lines[i].last, lines[i].n = row, lines[i].n+1
			continue
		}
		latest[series(row)] = len(lines)
		lines = append(lines, fold[T]{row, row, 1})
	}
	return lines
}

// span writes the slots of a line by what slot says of each.
func (f fold[T]) span(slot func(T) string) string { return f.spanTo(slot, slot) }

// spanTo is span with what last says of the last slot of several.
func (f fold[T]) spanTo(slot, last func(T) string) string {
	if f.n == 1 {
		return slot(f.first)
	}
	return fmt.Sprintf("%s … %s (%d slots)", slot(f.first), last(f.last), f.n)
}
