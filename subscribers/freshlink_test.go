package subscribers_test

import (
	"errors"
	"testing"
	"time"

	"pressrun/subscribers"
	"pressrun/subscribers/store"
)

func (p *people) manage(id int64) (token string) {
	p.Helper()
	p.must(func(tx *store.Tx) (err error) {
		token, err = p.AskManage(p.Context(), tx, id, subscribers.Evidence{IP: "192.0.2.7"})
		return err
	})
	return token
}

// newAddress asks for a change of address and returns the token that proves the new one.
func (p *people) newAddress(id int64, email string) (token string) {
	p.Helper()
	manage := p.manage(id)
	p.must(func(tx *store.Tx) (err error) {
		token, _, err = p.AskAddress(p.Context(), tx, manage, email, subscribers.Evidence{})
		return err
	})
	return token
}

func (p *people) changeAddress(token string) error {
	p.Helper()
	return p.tx(func(tx *store.Tx) error {
		_, _, err := p.ChangeAddress(p.Context(), tx, token, subscribers.Evidence{IP: "192.0.2.8"})
		return err
	})
}

func TestFreshLinkHasItsHour(t *testing.T) {
	p := newPeople(t)
	ada, bob := p.active(skin, "ada@example.org"), p.active(skin, "bob@example.org")
	token := p.manage(ada.ID)
	got, err := p.Manage(t.Context(), p.db, token)
	if err != nil || got.ID != ada.ID {
		t.Fatalf("Manage = %d, %v, want %d", got.ID, err, ada.ID)
	}
	leave := p.Key.Seal(subscribers.Token{Purpose: subscribers.PurposeUnsubscribe, SubscriberID: ada.ID, SeriesID: skin})
	other := p.Key.Seal(subscribers.Token{Purpose: subscribers.PurposeManage, SubscriberID: bob.ID, Serial: 1})
	for what, tt := range map[string]struct {
		token string
		want  error
	}{
		"an unsubscribe link": {leave, subscribers.ErrToken},
		"nothing":             {"", subscribers.ErrToken},
		"another's number":    {other, subscribers.ErrExpired},
	} {
		if _, err := p.Manage(t.Context(), p.db, tt.token); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", what, err, tt.want)
		}
	}
	p.pass(time.Hour)
	if _, err := p.Manage(t.Context(), p.db, token); !errors.Is(err, subscribers.ErrExpired) {
		t.Errorf("an hour later: got %v, want ErrExpired", err)
	}
	p.manage(ada.ID)
	p.manage(ada.ID)
	if fourth := p.manage(ada.ID); fourth != "" {
		t.Error("a fourth link was made within a day")
	}
	p.pass(day)
	if p.manage(ada.ID) == "" {
		t.Error("no link was made the day after")
	}
}

// Both addresses are proved; what stands against the person goes along, and the old address stays out.
func TestChangeAddress(t *testing.T) {
	p := newPeople(t)
	ada := p.active(skin, "ada@example.org")
	p.active(gut, "ada@example.org")
	p.leave(ada.ID, gut)
	manage := p.manage(ada.ID)
	token := p.newAddress(ada.ID, "Ada.New@example.net")
	if err := p.changeAddress(manage); !errors.Is(err, subscribers.ErrToken) {
		t.Errorf("by the old address' link alone: got %v, want ErrToken", err)
	}
	if err := p.changeAddress(token); err != nil {
		t.Fatalf("change: %v", err)
	}
	got, err := subscribers.ByEmail(t.Context(), p.db, "ada.new@example.net")
	if err != nil || got.ID != ada.ID || got.Email != "Ada.New@example.net" {
		t.Fatalf("under the new address: %+v, %v, want subscriber %d", got, err, ada.ID)
	}
	p.wantGets(skin, "ada.new@example.net", true, "after the change")
	p.wantGets(gut, "ada.new@example.net", false, "after the change")
	if err := p.changeAddress(token); !errors.Is(err, subscribers.ErrExpired) {
		t.Errorf("pressed again: got %v, want ErrExpired", err)
	}
	if _, err := p.Manage(t.Context(), p.db, manage); !errors.Is(err, subscribers.ErrExpired) {
		t.Errorf("the link in the old mailbox: got %v, want ErrExpired", err)
	}
	for _, email := range []string{"ada@example.org", "ada.new@example.net"} {
		if err := p.enrol(gut, email); !errors.Is(err, subscribers.ErrSuppressed) {
			t.Errorf("%s brought back by an owner: got %v, want ErrSuppressed", email, err)
		}
	}
	changes, err := subscribers.AddressChanges(t.Context(), p.db, ada.ID)
	if err != nil || len(changes) != 1 || changes[0].Old != "ada@example.org" || changes[0].IP != "192.0.2.8" {
		t.Errorf("record: %+v, %v", changes, err)
	}
	// And back: what the move left at the old address is lifted by its owner's proof.
	p.pass(day)
	if err := p.changeAddress(p.newAddress(ada.ID, "ada@example.org")); err != nil {
		t.Fatalf("back: %v", err)
	}
	p.wantGets(skin, "ada@example.org", true, "after the change")
	p.wantGets(gut, "ada@example.org", false, "after the change")
}

func TestChangeAddressRefuses(t *testing.T) {
	p := newPeople(t)
	ada := p.active(skin, "ada@example.org")
	p.active(skin, "taken@example.org")
	p.join(skin, "pending@example.org")
	p.suppress("gone@example.org", 0, "complaint")
	p.suppress("blocked.example", 0, "manual")
	for _, tt := range []struct {
		to   string
		want error
	}{
		{"taken@example.org", subscribers.ErrTaken},
		{"gone@example.org", subscribers.ErrSuppressed},
		{"new@blocked.example", subscribers.ErrSuppressed},
	} {
		p.pass(day)
		if err := p.changeAddress(p.newAddress(ada.ID, tt.to)); !errors.Is(err, tt.want) {
			t.Errorf("to %s: got %v, want %v", tt.to, err, tt.want)
		}
		p.wantGets(skin, "ada@example.org", true, "after the change")
	}
	p.pass(day)
	if err := p.changeAddress(p.newAddress(ada.ID, "pending@example.org")); err != nil {
		t.Errorf("to an address that a stranger only asked for: %v", err)
	}
	p.wantGets(skin, "pending@example.org", true, "after the change")
	manage := p.manage(ada.ID)
	err := p.tx(func(tx *store.Tx) error {
		_, _, err := p.AskAddress(t.Context(), tx, manage, "no address", subscribers.Evidence{})
		return err
	})
	if !errors.Is(err, subscribers.ErrAddress) {
		t.Errorf("to no address: got %v, want ErrAddress", err)
	}
}

// An owner's word against a person is not escaped by another address.
func TestOwnersWordGoesAlong(t *testing.T) {
	p := newPeople(t)
	ada := p.active(skin, "ada@example.org")
	p.suppress("ada@example.org", gut, "manual")
	if err := p.changeAddress(p.newAddress(ada.ID, "new@example.org")); err != nil {
		t.Fatal(err)
	}
	if req := p.join(gut, "new@example.org"); req.Token != "" {
		t.Error("a confirmation was made for a series that the owner keeps the person out of")
	}
}

// By the mail that they got there they have shown that the new address is reached: a bounce of before holds no longer.
func TestChangeAddressLiftsBounce(t *testing.T) {
	p := newPeople(t)
	ada := p.active(skin, "ada@example.org")
	p.suppress("once.full@example.net", 0, "bounce")
	p.suppress("once.full@example.net", skin, "bounce")
	if err := p.changeAddress(p.newAddress(ada.ID, "once.full@example.net")); err != nil {
		t.Fatal(err)
	}
	p.wantGets(skin, "once.full@example.net", true, "after the change")
}

// TestAStrangersAddressIsAskedOnceADay, however many readers name it as their new one, and three times ever: whoever has it may never have
// heard of us. That counts with requests to join, and for readers who have gone since.
func TestAStrangersAddressIsAskedOnceADay(t *testing.T) {
	p := newPeople(t)
	var readers []int64
	for _, name := range []string{"ada", "bob", "cyd", "dan"} {
		readers = append(readers, p.active(skin, name+"@example.org").ID)
	}
	for _, tt := range []struct {
		when string
		wait time.Duration
		by   int
		asks bool
	}{
		{"the first", day, 0, true},
		{"another reader", time.Hour, 1, false},
		{"the same reader", time.Hour, 0, false},
		{"a day later", 22 * time.Hour, 2, true},
		{"a third day", day, 1, true},
		{"a fourth time, ever", 400 * day, 3, false},
	} {
		p.pass(tt.wait)
		if got := p.newAddress(readers[tt.by], "Victim@example.net") != ""; got != tt.asks {
			t.Errorf("%s: asked %v, want %v", tt.when, got, tt.asks)
		}
	}
	if p.newAddress(readers[0], "other@example.net") == "" {
		t.Error("another address was not asked")
	}
	if req := p.join(skin, "victim@example.net"); req.Token != "" {
		t.Error("the address was asked a fourth time, whether it wants to join")
	}

	p.pass(day)
	p.newAddress(readers[1], "second@example.net")
	p.erase(readers[1])
	p.pass(time.Hour)
	if p.newAddress(readers[2], "second@example.net") != "" || p.join(skin, "second@example.net").Token != "" {
		t.Error("asked twice in a day: the first to name it is erased")
	}
	p.join(skin, "third@example.net")
	p.pass(time.Hour)
	if p.newAddress(readers[2], "third@example.net") != "" {
		t.Error("asked twice in a day: whether it joins, whether somebody moves to it")
	}
	p.pass(day)
	token := p.newAddress(readers[2], "third@example.net")
	if err := p.changeAddress(token); err != nil {
		t.Fatal(err)
	}
	if n := p.count(`SELECT count(*) FROM unanswered u JOIN subscribers s ON s.address_hash = u.hash`); n != 0 {
		t.Error("an address that has answered still counts as one that didn't")
	}
}

// TestLinksThatLedToNothing are gone after a day: until then they count, and a stranger's address stands in them.
func TestLinksThatLedToNothing(t *testing.T) {
	p := newPeople(t)
	ada := p.active(skin, "ada@example.org").ID
	p.newAddress(ada, "stranger@example.net")
	p.pass(day)
	if err := p.changeAddress(p.newAddress(ada, "new@example.org")); err != nil {
		t.Fatal(err)
	}
	p.pass(time.Minute)
	p.must(func(tx *store.Tx) error { _, err := p.Sweep(t.Context(), tx); return err })
	if n := p.count(`SELECT count(*) FROM fresh_links WHERE email = 'stranger@example.net'`); n != 0 {
		t.Error("the address that was never proved is kept")
	}
	if n := p.count(`SELECT count(*) FROM fresh_links WHERE changed IS NOT NULL`); n != 1 {
		t.Errorf("%d records of the change, want it", n)
	}
}
