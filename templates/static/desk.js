// The desk works without this. With it, progress is live: the page shows what the stream says, and where more than
// numbers changed it loads itself again.
"use strict";

function follow(path) {
	const stream = new EventSource(path);
	stream.addEventListener("changed", () => {
		stream.close();
		location.replace(location.pathname);
	});
	stream.addEventListener("progress", (event) => JSON.parse(event.data).forEach(show));
}

function show(issue) {
	const place = document.querySelector(`[data-issue="${CSS.escape(issue.issue)}"]`);
	if (!place) return;
	place.querySelector("progress").value = issue.percent;
	place.querySelector("[data-line]").textContent = issue.line;
	for (const [state, n] of Object.entries(issue.counts)) {
		const count = place.querySelector(`[data-count="${state}"]`);
		if (count) count.textContent = n;
	}
}

// A frame that has the focus inside doesn't match :focus, so its ring hangs on an attribute.
function ring() {
	for (const frame of document.querySelectorAll("iframe")) {
		frame.toggleAttribute("data-focus", frame === document.activeElement);
	}
}

addEventListener("blur", ring);
addEventListener("focus", ring);
if (document.body.dataset.stream) follow(document.body.dataset.stream);
