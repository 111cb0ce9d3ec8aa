package public

import (
	"net/http"

	"pressrun/newsletter/web"
	"pressrun/subscribers/store"
)

// open are the routes that take forms from anywhere: mail programs press one-click buttons, and the sign-up form may
// stand on any site. Neither can do more than its address or its mail allows.
func open() []string {
	return []string{"POST /u/{token}", "POST /s/{series}/subscribe", "POST /subscribe"}
}

// tokens are the routes of forms that stand on pages whose address is a token.
func tokens() []string {
	return []string{
		"POST /c/{token}", "POST /u/{token}/undo", "POST /u/{token}/why", "POST /preferences/{token}",
		"POST /mine/{token}/address", "POST /mine/{token}/download", "POST /mine/{token}/erase", "POST /address/{token}",
	}
}

func (p *pages) routes() (http.Handler, error) {
	mux := http.NewServeMux()
	handle := func(pattern string, h web.Handler) { mux.Handle(pattern, p.answer.Handle(h)) }
	handle("GET /{$}", p.home)
	handle("GET /s/{series}", p.series)
	handle("POST /s/{series}/subscribe", p.subscribe)
	handle("GET /subscribe", p.askSubscribe)
	handle("POST /subscribe", p.subscribe)
	handle("GET /subscribe/{series}", p.askSubscribeTo)
	handle("GET /s/{series}/feed.xml", p.feed)
	handle("GET /s/{series}/{article}", p.article)
	handle("GET /sitemap.xml", p.sitemap)
	handle("GET /robots.txt", p.robots)
	handle("GET /c/{token}", p.askConfirm)
	handle("POST /c/{token}", p.confirm)
	handle("GET /u/{token}", p.askLeave)
	handle("POST /u/{token}", p.leave)
	handle("POST /u/{token}/undo", p.undo)
	handle("POST /u/{token}/why", p.why)
	handle("GET /preferences/{token}", p.askPreferences)
	handle("POST /preferences/{token}", p.setPreferences)
	handle("GET /mine", p.askForMine)
	handle("POST /mine", p.mailMine)
	handle("GET /mine/{token}", p.mine)
	handle("POST /mine/{token}/address", p.moveAddress)
	handle("POST /mine/{token}/download", p.download)
	handle("POST /mine/{token}/erase", p.erase)
	handle("GET /address/{token}", p.askMove)
	handle("POST /address/{token}", p.move)
	handle("GET /p/{picture}", p.picture)
	handle("GET /static/{file}", web.Static(p.assets))
	handle("/", func(http.ResponseWriter, *http.Request) error { return store.ErrNotFound })
	foreign := p.answer.Handle(func(http.ResponseWriter, *http.Request) error { return web.ErrForeign })
	guarded, err := web.Guard(mux, foreign, p.BaseURL, open(), tokens())
	if err != nil {
		return nil, err
	}
	return web.Secure(guarded, p.BaseURL), nil
}
