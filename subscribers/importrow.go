package subscribers

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"pressrun/subscribers/store"
)

const selectReadingByArticles = `SELECT id FROM readings WHERE series_id = ?1 AND articles = ?2`

const insertReading = `INSERT INTO readings (series_id, articles, created) VALUES (?1, ?2, ?3) RETURNING id`

// addReading returns the number of the reading that these people share; 0 where they had nothing.
func (im *importing) addReading(ctx context.Context) (id int64, err error) {
	if len(im.o.Reading) == 0 {
		return 0, nil
	}
	articles, err := json.Marshal(im.o.Reading)
	if err != nil {
		return 0, err
	}
	err = im.tx.QueryRow(ctx, selectReadingByArticles, im.o.SeriesID, string(articles)).Scan(&id)
	if errors.Is(err, store.ErrNotFound) {
		err = im.tx.QueryRow(ctx, insertReading, im.o.SeriesID, string(articles), im.now().UnixMilli()).Scan(&id)
	}
	return id, err
}

// form is where somebody came from, as evidence: file, line and hash.
func (im *importing) form(line int) string {
	return im.o.File + ":" + strconv.Itoa(line) + " sha256:" + im.sheet.sum
}

// consent records that the import brought somebody.
func (im *importing) consent(ctx context.Context, p person, row row, because string) error {
	_, err := im.record(ctx, im.tx, p, Consent{
		SeriesID: im.o.SeriesID, Event: eventImported, Email: row.addr.Typed, Evidence: Evidence{Form: im.form(row.line), Wording: row.consent, Because: because},
	})
	return err
}

// addition is what a row says of a person, for those of whom we know something already.
func (r row) addition() (Addition, error) {
	a := r.Addition
	err := json.Unmarshal([]byte(r.fields), &a.Fields)
	return a, err
}

// takePerson takes somebody who may be mailed, now or once they confirm.
func (im *importing) takePerson(ctx context.Context, row row, f found) (became, error) {
	if gone := f.keptOut(); gone != "" {
		return keptOutBy(gone), nil
	}
	a, err := row.addition()
	if err != nil {
		return 0, err
	}
	changed, err := im.put(ctx, im.tx, row.addr, a, &f.person)
	if err != nil {
		return 0, err
	}
	e, err := im.enrolRow(ctx, f, row)
	if err != nil {
		return 0, err
	}
	bound, err := im.bind(ctx, e, f)
	if err != nil {
		return 0, err
	}
	moved, err := im.setReading(ctx, e)
	switch {
	case err != nil:
		return 0, err
	case f.enrolment.ID == 0:
		return im.added(row), nil
	case changed || moved || bound:
		return becameChanged, nil
	}
	return becameUnchanged, nil
}

const bindEnrolment = `UPDATE enrolments SET import_id = ?2 WHERE id = ?1`

// bind has an enrolment count once the import is done: one that it made or activated, or that another import left behind.
func (im *importing) bind(ctx context.Context, e Enrolment, f found) (bool, error) {
	if !f.loose && e.ID == f.enrolment.ID && e.State == f.enrolment.State {
		return false, nil
	}
	_, err := im.tx.Exec(ctx, bindEnrolment, e.ID, im.id)
	return true, err
}

// enrolRow brings a person's enrolment to what the row says, never back from it.
func (im *importing) enrolRow(ctx context.Context, f found, row row) (Enrolment, error) {
	e, s := f.enrolment, im.start(row)
	var err error
	switch {
	case e.ID == 0:
		e, err = im.enrol(ctx, im.tx, im.o.SeriesID, f.ID, s)
	case e.State == Pending && row.state == rowActive:
		e, err = im.activate(ctx, im.tx, e, s.since)
	default:
		return e, nil
	}
	if err != nil {
		return Enrolment{}, err
	}
	return e, im.consent(ctx, f.person, row, im.o.Because)
}

// added is what became of somebody new here.
func (im *importing) added(row row) became {
	if im.start(row).state == Pending {
		return becamePending
	}
	return becameAdded
}

// start is how somebody of a row begins who is not gone.
func (im *importing) start(row row) start {
	since := row.since
	if since.IsZero() || since.After(im.now()) {
		since = im.now()
	}
	switch {
	case row.state == rowPending:
		return start{state: Pending}
	case row.state == rowPaused && row.until.After(im.now()):
		return start{state: Paused, since: since, until: row.until}
	}
	return start{state: Active, since: since}
}

const updateReading = `UPDATE enrolments SET reading_id = ?2, updated = ?3 WHERE id = ?1`

// setReading leaves alone who has started again: what they had read before they came counts in the first cycle alone.
func (im *importing) setReading(ctx context.Context, e Enrolment) (bool, error) {
	if im.reading == 0 || im.reading == e.ReadingID || e.Cycle > 1 {
		return false, nil
	}
	_, err := im.tx.Exec(ctx, updateReading, e.ID, im.reading, im.now().UnixMilli())
	return true, err
}

const selectCameSince = `SELECT EXISTS (SELECT 1 FROM consents c
WHERE c.subscriber_id = ?1 AND c.event IN ('confirmed', 'undone') AND c.at > ?2 AND (c.series_id = +?3 OR c.series_id IS NULL))`

// cameSince says whether somebody came back by their own hand after the import began, from what they can come back from.
func (im *importing) cameSince(ctx context.Context, row row, f found) (came bool, err error) {
	if f.ID == 0 || onlyOwnerLifts(goneReason(row.state)) {
		return false, nil
	}
	err = im.tx.QueryRow(ctx, selectCameSince, f.ID, im.now().UnixMilli(), im.o.SeriesID).Scan(&came)
	return came, err
}

// takeGone takes somebody who must not be mailed. They are kept as people of the series, so that an export to another
// service still says that they left.
func (im *importing) takeGone(ctx context.Context, row row, f found) (became, error) {
	if came, err := im.cameSince(ctx, row, f); err != nil || came {
		return becameUnchanged, err
	}
	a, err := row.addition()
	if err != nil {
		return 0, err
	}
	if _, err := im.put(ctx, im.tx, row.addr, a, &f.person); err != nil {
		return 0, err
	}
	because := im.goneBecause(row.state)
	changed, err := im.shut(ctx, f.person, row.state, because)
	if err != nil {
		return 0, err
	}
	if f.enrolment.ID == 0 {
		changed = true
		if _, err := im.enrol(ctx, im.tx, im.o.SeriesID, f.ID, goneStart(row)); err != nil {
			return 0, err
		}
	}
	if !changed {
		return becameUnchanged, nil
	}
	return becameSuppressed, im.consent(ctx, f.person, row, because)
}

func (im *importing) goneBecause(state string) string {
	return strings.TrimSuffix(state+": "+im.o.Because, ": ")
}

// goneScope is what a suppression keeps people from. An unsubscribe and a suppression by hand are of the file's series; a bounce
// and a complaint are of the address, so of the whole site.
func (im *importing) goneScope(reason string) int64 {
	if reason == reasonBounce || reason == reasonComplaint {
		return 0
	}
	return im.o.SeriesID
}

// goneReason is the suppression that a word of a file stands for.
func goneReason(state string) string {
	switch state {
	case rowUnsubscribed:
		return reasonUnsubscribe
	case rowBounced:
		return reasonBounce
	case rowComplained:
		return reasonComplaint
	}
	return reasonManual
}

// goneStart is the enrolment of somebody who comes here as gone. Of those suppressed by hand it is pending: without the
// suppression they would still have to confirm.
func goneStart(row row) start {
	if row.state == rowSuppressed {
		return start{state: Pending}
	}
	return start{state: Ended, by: goneReason(row.state), since: row.since}
}

// shut suppresses and ends what a row says is over, and says whether that changed anything.
func (im *importing) shut(ctx context.Context, p person, state, because string) (bool, error) {
	reason := goneReason(state)
	scope := im.goneScope(reason)
	var stood int64
	var err error
	if reason == reasonUnsubscribe { // nothing new for somebody who left everything
		stood, err = im.tx.Exec(ctx, insertLeave, p.address, scope, because, im.now().UnixMilli())
	} else {
		stood, err = im.tx.Exec(ctx, insertSuppression, p.address, scope, reason, because, im.now().UnixMilli())
	}
	if err != nil || reason == reasonManual {
		return stood > 0, err
	}
	ended, err := end(ctx, im.tx, p, scope, reason, im.now())
	return stood > 0 || ended > 0, err
}
