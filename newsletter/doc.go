// Package newsletter is the conductor: it brings articles, slots, readers and the outbox together. It owns no table and no
// rule of its own: what is next is series.Next, who is mailable is subscribers' view, how each person gets it once is
// outbox. It never talks to a relay: it queues, and the worker sends.
//
// The plan, the explanation and the sender gather their facts in the same functions (facts.go) and ask the same Next, so
// that what is shown is what is sent.
//
// After a crash: RunDue continues an interrupted fill, holds it where its time has passed, or discards what nobody saw; a
// slot that fired has its issue or is still due. What the editors must hear is queued in the transaction that it is about.
package newsletter
