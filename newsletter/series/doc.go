// Package series owns series, their articles, the order of these, slots and issues. It decides what the next article is
// (Next, a pure function over values) and never knows who reads it, never renders and never sends.
//
// After a crash: a slot is a row before it fires, so it can neither vanish nor fire twice; an issue that was frozen never
// changes its content again; every change of this package is one transaction of its caller, whole or not at all.
package series
