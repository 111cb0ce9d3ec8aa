// Brings new mail into the list while the page is in sight. Without script the page stays as it is until it is loaded again.
"use strict";

const mails = document.getElementById("mails");
const main = document.getElementById("main");
const news = document.getElementById("news");
const interval = 2000; // milliseconds

async function look() {
	const answer = await fetch(mails.dataset.prefix + "/count");
	if (answer.ok && (await answer.text()) !== mails.dataset.total) await renew();
}

async function renew() {
	const answer = await fetch(location.href);
	if (!answer.ok) return;
	const page = new DOMParser().parseFromString(await answer.text(), "text/html");
	const fresh = page.getElementById("mails");
	const focused = mails.contains(document.activeElement) && document.activeElement.getAttribute("href");
	const first = mails.dataset.total === "0";
	mails.replaceChildren(...fresh.childNodes);
	mails.dataset.total = fresh.dataset.total;
	if (first) main.replaceChildren(...page.getElementById("main").childNodes);
	if (focused) mails.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
	news.textContent = fresh.dataset.total === "1" ? "1 mail now" : fresh.dataset.total + " mails now";
}

// The focus of what is inside a frame shows as the frame's own, which style sheets alone can't see.
function markFrame() {
	document.body.classList.toggle("in-frame", document.activeElement?.tagName === "IFRAME");
}

addEventListener("blur", markFrame);
addEventListener("focusin", markFrame);

async function watch() {
	if (document.visibilityState === "visible") {
		try {
			await look();
		} catch {
			// The program has stopped, or is busy: the next look will tell.
		}
	}
	setTimeout(watch, interval);
}

mails.querySelector("[aria-current]")?.scrollIntoView({ block: "center" });
setTimeout(watch, interval);
