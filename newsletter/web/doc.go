// Package web is what the faces of the site share: pages with their headers, errors as pages, the guard against foreign
// forms, cookies, limits, the server's time-outs. It owns no route, no text and no table, and
// keeps nothing that a crash could lose but the counts of its limits.
//
// GET and HEAD change nothing, on every face. What a page promises was committed before its first octet left.
package web
