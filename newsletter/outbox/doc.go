// Package outbox owns deliveries: the record of getting one issue, or one notice, to one person, and the worker that hands
// the messages to the relay. It never decides what an issue says or who may be mailed (that is the view mailable, read
// inside the mark's own transaction), and it never shows a number that is not a count of rows.
//
// A relay has a message once it answers 250 to the last octet, and that answer can be lost (RFC 1047). All else is exact:
//
//   - A message is complete before its transaction begins, and depends on its row and its issue alone: the same
//     Message-ID, Date and boundary on every try.
//   - The mark: a row becomes inflight in a committed transaction before the first octet of content leaves. That
//     transaction reads whether the person may still be mailed, whether the issue is still sending, and whether the row is
//     still ours (owner and epoch). The envelope before it promises nothing, also where it travelled with the content of
//     the message before: at most one row for each connection is ever in flight. A row found out of place is dropped by
//     RSET, or after 354 by closing the socket without a dot.
//   - Results and marks of all connections share commits. A result that can't be written is kept and tried again for as
//     long as the process lives, and meanwhile nothing is marked, so nothing is sent.
//   - A reply to the content is believed. No reply is uncertain for an issue (never twice) and one more try for a notice,
//     ten minutes later and recorded before (never lost).
//
// How fast messages leave is package pace's to say. Rows are claimed by lanes, which are mailbox providers, and no more of them
// than may leave now, counted in the claim's own transaction: a row that waits for the pace is pending and untouched. Refusals
// that are about us stop the issue for the provider that says them, those about an address suppress it, in the transaction
// of their turn.
//
// A database that is not where its record says it was (another machine, another file, a lock file that knows a later sender)
// starts in hold, and so does one whose sender died long ago in the middle of an issue, or whose clock was set forward while
// the sender ran: it may be a backup that was restored. A backup of a quiet moment that is put back with its lock file, on
// the same machine and into the same file, can't be told from a program that was off; what it forgot, it sends at its next
// slots. Nor is a clock that was wrong from the start found out, unless it is behind the last heartbeat.
//
// After a crash: the next worker makes pending of what was claimed and uncertain of what was in flight: at most one row
// for each connection. What is sent, failed or skipped stays so; what is pending is sent; nobody is mailed twice.
//
// Who starts a series again is in another cycle: in it nothing counts as had that came before, and what waits of the earlier one ends as
// skipped, since the mark asks for the cycle too. What carries no article of the reader's series, such as a correction or an announcement of
// another one's, is of no cycle there; in the article's own series an announcement is of the cycle in which its last try ended.
//
// Old deliveries shrink (Compact): of a row that ended long ago it stays who had which article in which cycle, when, and in
// which issue. What counts as had goes on to count, and numbers shown stay what they were.
//
// A notice that is over keeps neither what it said nor to whom. Whoever is erased has what waits for them emptied, and what relays
// said of them, in the transaction of the erasure, by a trigger of this package's; after a crash both happened or neither.
package outbox
