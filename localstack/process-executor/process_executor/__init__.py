"""A Lambda executor for LocalStack that needs no Docker.

LocalStack's open edition runs functions in containers only, but the executor is a plugin point. This plugin runs the
`bootstrap` of a `provided.*` function as a process of the host and talks to it by Lambda's runtime API. Choose it with
LAMBDA_RUNTIME_EXECUTOR=process, and always together with GATEWAY_SERVER=loopback.

`runtime` is one life of a bootstrap and knows nothing of LocalStack; `executor` is what LocalStack calls and decides
when a new life begins; `loopback` keeps LocalStack itself off the network; `plugin` holds the entry points.

It isolates nothing: functions run with the rights, the files and the network of whoever started LocalStack. Layers,
extensions, memory limits and other runtimes than `provided.*` are left out.
"""
