// Package subscribers owns people: their addresses, enrolments, consents, suppressions and the tokens in their links.
// To it a series and an article are opaque numbers; it never sends and never decides what anybody gets.
//
// What other packages' SQL may read of people is the view mailable: who is confirmed, active in a series, not paused
// and not suppressed. Consent is decided there and nowhere else.
//
// Only the person themselves makes an enrolment active that ended, by Confirm or Undo, or begins a cycle of it, by StartAgain.
// What they agreed to and when they left is in the consents, which the schema keeps from being changed; an erasure alone takes
// them away. Suppressions name addresses by a keyed hash, so that they outlive the person's row without naming anybody. They are
// also kept in a journal beside the database, which is on the disk before the transaction commits: a backup that is restored
// learns from it who left since (see KeepJournal).
//
// After a crash: what a function wrote in its caller's transaction is there if that transaction was committed, whole. An
// import is many transactions: it is forgotten where its file was not accepted yet, and FinishImports brings it to its end
// where it was; until then nobody new of it is mailable, and never where ForgetImport gave it up.
package subscribers
