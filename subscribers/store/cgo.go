//go:build cgo

package store

const haveCgo = true
