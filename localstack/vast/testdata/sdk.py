"""Drives the SDK vastpy, and vastpy-cli in this process: sdk.py ADDRESS. The tokens are in the environment. Prints ok at its end."""

import contextlib
import io
import json
import os
import sys
from datetime import datetime, timedelta
from unittest import mock

from vastpy import RESTFailure, VASTClient, cli

address = sys.argv[1]


def client(token=None, **settings):
    return VASTClient(address=address, token=token, cert_file='service.pem', **settings)


admin, viewer, scoped = (client(os.environ[name]) for name in ('ADMIN', 'VIEWER', 'SCOPED'))


def refused(status, call, **params):
    try:
        call(**params)
    except RESTFailure as e:
        assert e.status == status, str(e)
        return json.loads(e.data)
    raise AssertionError(f'{call} was not refused')


def denied(status, code, call, **params):
    answer = refused(status, call, **params)
    assert answer['code'] == code and answer['detail'], answer
    return answer['detail']


def missing(call, **params):
    answer = refused(404, call, **params)
    assert answer == 'API key not found', answer


def lifetime(token):
    created, expiry = (datetime.fromisoformat(token[k].replace('Z', '+00:00')) for k in ('created', 'expiry_date'))
    return expiry - created


# Creates: the answer of the SDK has the id and the token. A client with the new token works.
made = admin.apitokens.post(name='nightly backup', expiry_date='30D', owner='clara')
assert set(made) == {'id', 'token'} and made['token'].startswith(made['id'] + '.'), set(made)
clara = client(made['token'], version='v5')
shown = clara.apitokens[made['id']].get()
assert set(shown) == {'id', 'name', 'owner', 'created', 'expiry_date', 'last_used', 'revoked', 'revocation_time'}, shown
assert (shown['name'], shown['owner'], shown['revoked'], shown['revocation_time']) == ('nightly backup', 'clara', False, None), shown
assert lifetime(shown) == timedelta(days=30), shown
for _ in range(50):  # a busy service does not store each use
    if clara.apitokens[made['id']].get()['last_used']:
        break
else:
    raise AssertionError('no use was stored')

# The units of a duration, and the expiry from the creation on.
for expiry, days in {'1Y': 365, '2M': 60, '3w': 21, '4D': 4, '48h': 2, '1440m': 1, '86400S': 1}.items():
    assert admin.apitokens[made['id']].patch(expiry_date=expiry) == 'API token modified'
    shown = admin.apitokens[made['id']].get()
    assert lifetime(shown) == timedelta(days=days) and shown['name'] == 'nightly backup', (expiry, shown)
assert admin.apitokens[made['id']].patch(name='hourly') == 'API token modified'
shown = admin.apitokens[made['id']].get()
assert shown['name'] == 'hourly' and lifetime(shown) == timedelta(days=1), shown

# Names that are no strings, and the default name.
names = {admin.apitokens.post(owner='clara', **p)['id']: n for p, n in (({'name': 123}, '123'), ({'name': True}, 'true'), ({}, 'clara_api_token'))}
for id, name in names.items():
    assert admin.apitokens[id].get()['name'] == name
numbered = admin.apitokens.post(owner='auth_id:777')
assert [t['id'] for t in admin.apitokens.get(owner='auth_id:777')] == [numbered['id']]
own = clara.apitokens.post()
assert clara.apitokens[own['id']].get()['owner'] == 'clara'

# The limit, and a revoked token that does not count.
assert refused(503, clara.apitokens.post) == 'Max allowed API tokens reached'
assert clara.apitokens[own['id']].revoke.patch() == 'API token revoked'
again = clara.apitokens.post(name='again')

# Lists: bare arrays, each spelling of archived, each filter, and pages.
live = clara.apitokens.get()
assert isinstance(live, list) and [t['id'] for t in live] == [made['id'], *names, again['id']], live
for archived in (False, 'false', 'False', 'FALSE'):
    assert len(clara.apitokens.get(archived=archived)) == 5, archived
for archived in (True, 'true', 'True', 'TRUE'):
    everything = admin.apitokens.get(archived=archived, owner='clara')
    assert [t['revoked'] for t in everything] == [t['id'] == own['id'] for t in everything] and len(everything) == 6, everything
assert next(t for t in everything if t['revoked'])['revocation_time']
assert [t['id'] for t in admin.apitokens.get(name='again', owner='clara')] == [again['id']]
assert admin.apitokens.get(owner='nobody-has-this-name') == []
assert {t['owner'] for t in admin.apitokens.get()} >= {'admin', 'clara', 'sophie', 'vivian'}
page = clara.apitokens.get(page=2, page_size=2)
assert page['count'] == 5 and len(page['results']) == 2 and page['next'].startswith('https://'), page
assert page['next'].endswith('/api/v5/apitokens/?page=3&page_size=2') and page['previous'].endswith('?page=1&page_size=2'), page

# The versions of the path, the tenant, and no certificate to check.
for version in ('latest', 'v1', 'v5', ''):
    versioned = client(made['token'], version=version, tenant='default')
    assert versioned.apitokens[made['id']].get()['name'] == 'hourly', version
assert VASTClient(address=address, token=made['token']).apitokens[made['id']].get()['name'] == 'hourly'

# Settings. Every number names this service.
vms = admin.vms[1]
assert vms.pwd_settings.get() == {'pwd_expiration_timeout': '180D', 'pwd_expiration_timeout_enabled': False}
try:
    assert vms.pwd_settings.patch(pwd_expiration_timeout_enabled=True) == {'pwd_expiration_timeout': '180D', 'pwd_expiration_timeout_enabled': True}
    assert admin.vms[77].pwd_settings.patch(pwd_expiration_timeout='10D')['pwd_expiration_timeout'] == '10D'
    limited = admin.apitokens.post(owner='conrad')
    assert lifetime(admin.apitokens[limited['id']].get()) == timedelta(days=10)
    refused(400, admin.apitokens.post, owner='conrad', expiry_date='11D')
finally:
    vms.pwd_settings.patch(pwd_expiration_timeout_enabled=False)
assert not vms.pwd_settings.get()['pwd_expiration_timeout_enabled']

# A second user: what is of others is like what is not there, and nothing of it changes.
conrad = client(limited['token'])
assert [t['id'] for t in conrad.apitokens.get(archived=True)] == [limited['id']]
assert conrad.apitokens.get(owner='clara') == [] == conrad.apitokens.get(name='hourly')
for id in (made['id'], own['id'], 'JhxND7ci', 'admin', '1'):
    item = conrad.apitokens[id]
    for call in (item.get, item.patch, item.revoke.patch):
        missing(call)
    missing(item.patch, name='stolen')
    missing(item.patch, expiry_date='1D')
denied(403, 'permission_denied', conrad.apitokens.post, owner='clara')
denied(403, 'permission_denied', conrad.vms[1].set_max_api_tokens_per_user.patch, max_api_tokens_per_user=50)
denied(403, 'permission_denied', conrad.vms[1].pwd_settings.patch, pwd_expiration_timeout_enabled=False)
denied(403, 'permission_denied', conrad.vms[1].pwd_settings.get)
assert clara.apitokens.get(archived=True) == admin.apitokens.get(archived=True, owner='clara')
second = conrad.apitokens.post(name='second', owner='conrad')
assert conrad.apitokens[second['id']].patch(name='renamed', expiry_date='5D') == 'API token modified'
assert conrad.apitokens[second['id']].revoke.patch() == 'API token revoked'
missing(conrad.apitokens[second['id']].revoke.patch)
missing(conrad.apitokens[second['id']].patch, name='renamed')
denied(401, 'token_revoked', client(second['token']).apitokens.get)

# A user with only the permission view: sees all, changes nothing of others, and manages its own tokens.
assert viewer.apitokens[made['id']].get()['owner'] == 'clara' and len(viewer.apitokens.get(owner='clara')) == 5
assert viewer.vms[1].pwd_settings.get()
for params in ({'name': 'stolen'}, {'expiry_date': '12H'}, {'expiry_date': '3D'}):
    denied(403, 'permission_denied', viewer.apitokens[made['id']].patch, **params)
denied(403, 'permission_denied', viewer.apitokens[made['id']].revoke.patch)
denied(403, 'permission_denied', viewer.apitokens.post, owner='clara')
denied(403, 'permission_denied', viewer.vms[1].set_max_api_tokens_per_user.patch, max_api_tokens_per_user=50)
mine = viewer.apitokens.post()
assert viewer.apitokens[mine['id']].revoke.patch() == 'API token revoked'

# A token with a scope: for its own user, for its own form of the path, and for nothing else.
assert {t['owner'] for t in scoped.apitokens.get()} == {'sophie'}
denied(403, 'permission_denied_by_scope', scoped.apitokens.post)
denied(403, 'permission_denied_by_scope', client(os.environ['SCOPED'], version='v5').apitokens.get)
denied(403, 'permission_denied_by_scope', scoped.apitokens[scoped.apitokens.get()[0]['id']].revoke.patch)

# Passwords, refused tokens, and calls that do not exist.
assert 'VMS_TOKEN' in denied(401, 'password_unsupported', client(user='admin', password='hunter2').apitokens.get)
assert 'VMS_TOKEN' in denied(401, 'password_unsupported', client(user='admin', password='hunter2', version='').token.post, username='admin', password='hunter2')
denied(401, 'token_malformed', client('x').apitokens.get)
denied(401, 'token_invalid', client('00000000.000000000000000000000000002uutdl').apitokens.get)
denied(405, 'method_not_allowed', admin.apitokens[made['id']].delete)
denied(405, 'method_not_allowed', admin.apitokens.options)
denied(404, 'path_not_found', admin.users.get)
for credentials in ({}, {'token': 'x', 'user': 'admin', 'password': 'hunter2'}, {'token': 'x', 'user': 'admin'}):
    try:
        client(**credentials)
        raise AssertionError('the client accepted the credentials')
    except ValueError:
        pass


def run(*args):
    """Runs vastpy-cli as administrator and returns its exit code and its standard error."""
    errors = io.StringIO()
    environment = {'VMS_ADDRESS': address, 'VMS_CERT_FILE': 'service.pem', 'VMS_TOKEN': os.environ['ADMIN']}
    with mock.patch.dict(os.environ, environment), mock.patch.object(sys, 'argv', ['vastpy-cli', *args]), contextlib.redirect_stderr(errors):
        try:
            cli.main()
        except SystemExit as e:
            return e.code, errors.getvalue()
    return 0, errors.getvalue()


def wrong(status, message, method, endpoint, *params):
    """Checks that vastpy-cli fails with the message. A message that ends with ... is only the beginning."""
    code, text = run(method, endpoint, *params)
    start, found, answer = text.partition(f' failed with error {status} and message ')
    assert code == 2 and found and start.startswith(f'Error: response for {method.upper()} api/latest/{endpoint} with params='), (code, text)
    answer = json.loads(answer)
    answer = answer['detail'] if isinstance(answer, dict) else answer
    assert answer == message or message.endswith('...') and answer.startswith(message[:-3]), f'{params}: got {answer!r}, want {message!r}'


before = admin.apitokens.get(archived=True)
item = f'apitokens/{made["id"]}'
maximum, pwd = 'vms/1/set_max_api_tokens_per_user', 'vms/1/pwd_settings'
no_duration = 'must be a string: a number and a unit, Y, M (30 days), W, D, H, m (minutes) or S, like 180D.'
no_word = 'must be a string; a whole number, true and false are allowed too and mean their text.'
no_count = 'max_api_tokens_per_user must be a whole number from 0 to 50.'

# Durations: y, two units, fractions, signs, spaces, zero, an overflow, numbers, and a time.
for value in ('1y', '1Y6M', '1.5D', '-1D', '1 D', '2030-01-01T00:00:00Z'):
    for method, endpoint in (('post', 'apitokens'), ('patch', item)):
        wrong(400, f'expiry_date: The lifetime "{value}" is invalid; allowed: a whole number above zero and one unit, like 180D: Y (365 days), M (30 days), w or...', method, endpoint, f'expiry_date={value}')
wrong(400, 'expiry_date: The lifetime "99999999999999999999"... is too long; at most 292Y is allowed.', 'post', 'apitokens', 'expiry_date=99999999999999999999Y')
wrong(400, 'expiry_date: The lifetime "9999Y" is too long; at most 292Y is allowed.', 'patch', item, 'expiry_date=9999Y')
wrong(400, 'expiry_date: The lifetime "0D" is zero; allowed: a whole number above zero...', 'post', 'apitokens', 'expiry_date=0D')
for value in ('30', '0', 'true', '[1]', '1e3'):
    wrong(400, f'expiry_date {no_duration}', 'post', 'apitokens', f'expiry_date={value}')

# Names: numbers with a fraction or an exponent, what JSON cannot write, lists, and too long ones.
for value in ('1.50', '1e5', '[1]', '{"a":1}'):
    wrong(400, f'name {no_word}', 'post', 'apitokens', f'name={value}')
wrong(400, f'name {no_word}', 'patch', item, 'name=1.50')
wrong(400, f'name {no_word}', 'patch', item, 'name=a', 'name=b')
wrong(400, 'The request body is not JSON: invalid character...', 'post', 'apitokens', 'name=NaN')
wrong(400, 'The name has 129 bytes; at most 128 are allowed.', 'post', 'apitokens', 'name=' + 'x' * 129)
wrong(400, 'The name has 129 bytes; at most 128 are allowed.', 'patch', item, 'name=' + 'x' * 129)
wrong(400, f'owner {no_word}', 'post', 'apitokens', 'owner=1.5')
wrong(400, 'The owner has 300 bytes; at most 256 are allowed.', 'post', 'apitokens', 'owner=' + 'x' * 300)

wrong(400, 'The owner\'s name "500" looks like an auth_id, which is not allowed; give it as auth_id, or as auth_id:N where a user is one text.', 'post', 'apitokens', 'owner=500')

# Members and parameters that do not exist, twice, or with another value.
wrong(400, 'nmae is unknown; allowed: name, expiry_date, owner.', 'post', 'apitokens', 'nmae=x')
wrong(400, 'owner is unknown; allowed: name, expiry_date.', 'patch', item, 'owner=conrad')
wrong(400, 'name is unknown; allowed: none.', 'patch', f'{item}/revoke', 'name=x')
wrong(400, 'onwer is unknown; allowed: archived, owner, name, page, page_size.', 'get', 'apitokens', 'onwer=clara')
wrong(400, 'archived must be true or false.', 'get', 'apitokens', 'archived=maybe')
wrong(400, 'archived must be true or false.', 'get', 'apitokens', 'archived=1')
wrong(400, 'owner is given more than once; once is allowed.', 'get', 'apitokens', 'owner=clara', 'owner=conrad')
wrong(400, 'page must be a whole number from 1 to 10000.', 'get', 'apitokens', 'page=0')

# Ids that do not exist, and a whole token in place of an id, a name and a parameter.
for id in ('JhxND7ci', '1', 'x' * 300):
    wrong(404, 'API key not found', 'get', f'apitokens/{id}')
    wrong(404, 'API key not found', 'patch', f'apitokens/{id}/revoke')
pasted = 'The path has a whole token, and logs may keep paths. Revoke this token now: PATCH /api/apitokens/ID/revoke/ with its id, the 8 characters before the dot.'
wrong(400, pasted, 'get', f'apitokens/{made["token"]}')
wrong(400, pasted, 'patch', f'apitokens/{made["token"]}/revoke')
wrong(400, 'name contains a token, which is not allowed; revoke that token.', 'patch', item, f'name={made["token"]}')
wrong(400, 'The query has a token, and logs may keep queries; revoke this token, and...', 'get', 'apitokens', f'name={made["token"]}')

# Settings.
wrong(400, 'max_api_tokens_per_user is missing; give a whole number from 0 to 50.', 'patch', maximum)
for value in ('1.5', '"5"', 'many', '99999999999999999999'):
    wrong(400, no_count, 'patch', maximum, f'max_api_tokens_per_user={value}')
for value in ('-1', '51'):
    wrong(400, f'The max_api_tokens_per_user is {value}; allowed: 0 to 50.', 'patch', maximum, f'max_api_tokens_per_user={value}')
wrong(400, 'max is unknown; allowed: max_api_tokens_per_user.', 'patch', maximum, 'max=1')
wrong(400, 'pwd_expiration_timeout and pwd_expiration_timeout_enabled are both missing; give one of them.', 'patch', pwd)
wrong(400, f'pwd_expiration_timeout {no_duration}', 'patch', pwd, 'pwd_expiration_timeout=90')
wrong(400, 'pwd_expiration_timeout: The lifetime "1y" is invalid; allowed: a whole number above zero...', 'patch', pwd, 'pwd_expiration_timeout=1y')
wrong(400, 'pwd_expiration_timeout: The lifetime "99999999999999999999"... is too long; at most 292Y is allowed.', 'patch', pwd, 'pwd_expiration_timeout=99999999999999999999Y')
wrong(400, 'pwd_expiration_timeout_enabled must be true or false.', 'patch', pwd, 'pwd_expiration_timeout_enabled=no')
wrong(400, 'pwd_expiration_timeout sets a lifetime, and pwd_expiration_timeout_enabled is false and removes it; give one of them.', 'patch', pwd, 'pwd_expiration_timeout=9D', 'pwd_expiration_timeout_enabled=false')

# Paths and methods that do not exist, and a file that does not.
wrong(404, 'The id of the VMS in the path is not a whole number.', 'get', 'vms/x/pwd_settings')
wrong(404, "There is no such path. GET /api/openapi.yaml lists all paths of VAST's form, and GET /openapi.yaml all others.", 'get', 'users')
wrong(405, 'This path does not allow this method; allowed: GET, HEAD, PATCH.', 'delete', item)
wrong(405, 'This path does not allow this method; allowed: GET, HEAD, PATCH.', 'post', pwd)
assert run('-i', 'nothing.json', 'post', 'apitokens') == (1, "Error reading JSON file: [Errno 2] No such file or directory: 'nothing.json'\n")

# None of them changed a token. The time of the last use is another matter.
for token in (after := admin.apitokens.get(archived=True)) + before:
    token.pop('last_used')
assert after == before
assert not vms.pwd_settings.get()['pwd_expiration_timeout_enabled']
print('ok')
