"""Drives the Python bindings against a service: bindings.py HOST PORT CREDENTIALS-FILE. Prints ok at its end."""

import sys
from datetime import datetime, timedelta, timezone

from qumulo.lib.auth import Credentials, get_credentials
from qumulo.lib.identity_util import Identity
from qumulo.lib.request import RequestError
from qumulo.rest_client import RestClient

host, port = sys.argv[1], int(sys.argv[2])
admin = RestClient(host, port, get_credentials(sys.argv[3]))
tokens = admin.access_tokens


def refused(status, error_class, call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except RequestError as e:
        assert (e.status_code, e.error_class) == (status, error_class), str(e)
        assert e.description and not e.description.startswith('Dev error'), str(e)
        return e.description
    raise AssertionError(f'{call} was not refused')


assert admin.version.version()['version']
assert admin.auth.who_am_i()['name'] == 'admin'
assert admin.auth.my_roles() == []

# A time with microseconds and an offset, as datetime writes it.
beth = Identity('local:beth')
end = datetime(2031, 2, 3, 4, 5, 6, 789, tzinfo=timezone(timedelta(hours=-5)))
made = tokens.create(beth, expiration_time=end)
entry = tokens.get(made.id)
assert entry.expiration_time == '2031-02-03T09:05:06.000789Z', entry
assert Identity(entry.user) == beth and entry.creator['name'] == 'admin' and entry.enabled
assert set(entry.user) == {'domain', 'auth_id', 'uid', 'gid', 'sid', 'name'}, entry.user
try:
    tokens.create(beth, expiration_time=datetime(2031, 1, 1))
    raise AssertionError('the bindings accepted a time without a zone')
except ValueError:
    pass

# Pages of one entry. Without a user the bindings ask for the limit as they should.
for _ in range(3):
    tokens.create(beth)
everything = [e.id for p in tokens.list() for e in p.entries]
pages = list(tokens.list(limit=1))
assert len(everything) >= 5 and [[e.id for e in p.entries] for p in pages] == [[id] for id in everything], pages
assert not pages[-1].paging.next
# The link to the next page also works as a whole URL. The client sends it unchanged.
page = tokens.list(limit=1)
next(page)
assert page.uri.startswith('/'), page.uri
page.uri = f'https://{host}:{port}{page.uri}'
assert next(page) == pages[1]
assert len([e for p in tokens.list(user=beth) for e in p.entries]) == 4
# With a user they write a second question mark. The answer says so.
assert 'question mark' in refused(400, 'invalid_request_error', lambda: list(tokens.list(user=beth, limit=1)))

# Changes, and a client with the new token.
assert tokens.modify(made.id) == entry
user = RestClient(host, port, Credentials(made.bearer_token))
assert user.auth.who_am_i()['name'] == 'beth'
assert not tokens.modify(made.id, enabled=False).enabled
refused(401, 'http_unauthorized_error', user.auth.who_am_i)
assert tokens.modify(made.id, expiration_time=end + timedelta(days=1), enabled=True).enabled
assert {e.id for p in user.access_tokens.list() for e in p.entries} == {e.id for p in tokens.list(user=beth) for e in p.entries}
of_admin = next(e.id for p in tokens.list(user=Identity('admin')) for e in p.entries)
refused(404, 'http_not_found_error', user.access_tokens.get, of_admin)
refused(403, 'http_forbidden_error', user.access_tokens.create, Identity('admin'))
tokens.delete(made.id)
refused(404, 'http_not_found_error', tokens.get, made.id)
refused(401, 'http_unauthorized_error', user.access_tokens.list().__next__)

# Passwords open no session.
assert 'credentials-store' in refused(401, 'http_unauthorized_error', admin.login, 'admin', 'hunter2')
print('ok')
