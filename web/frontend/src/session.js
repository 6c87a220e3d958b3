// A session that has ended elsewhere is said on the page that is open: what stands there is no longer kept up to date.
import { _ } from './texts.js';

let ended = false;

function tell() {
  if (ended) return;
  ended = true;
  const notice = document.createElement('div');
  notice.className = 'notice bad';
  notice.dataset.signedOut = '';
  notice.setAttribute('role', 'alert');
  const words = document.createElement('p');
  words.textContent = `${_('You are signed out. This page is not brought up to date any more.')} `;
  const link = document.createElement('a');
  link.href = `/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`;
  link.textContent = _('Sign in again');
  words.append(link);
  notice.append(words);
  document.getElementById('main').prepend(notice);
}

document.addEventListener('htmx:after:request', ({ detail }) => detail.ctx.response.status === 401 && tell());
document.addEventListener('htmx:before:request', (event) => ended && event.preventDefault());
