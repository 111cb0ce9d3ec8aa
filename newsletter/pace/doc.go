// Package pace owns when a message may leave: the limits of the relay, of each mailbox provider and of a new sender domain, and
// the hours in which issues are sent. It sends nothing, and it knows neither clock nor database: callers tell it the time, and
// keep between two runs what it has learned.
//
// A limit holds in every window of its length and not only from midnight to midnight: what left is counted in slices of a
// 64th of it, each as late as it can have been. Waiting for a pace is no try; nothing here knows a delivery.
//
// After a crash: a Pacer that is made of what was kept grants no more than the one before it would have, as long as each
// grant was kept before it was used.
package pace
