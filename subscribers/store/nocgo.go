//go:build !cgo

package store

// Without a C compiler the program builds all the same, so that it can say in words what it lacks.
const haveCgo = false

func fault(err error) error { return err }
