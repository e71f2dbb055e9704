"""A Lambda executor for LocalStack that needs no Docker.

LocalStack's open edition runs functions only in containers, but it accepts plugins for other executors. This plugin
runs the `bootstrap` of a `provided.*` function as a process of the host, with Lambda's runtime API. Select it with
LAMBDA_RUNTIME_EXECUTOR=process, and always set GATEWAY_SERVER=loopback too.

`runtime` runs one process of a bootstrap and does not depend on LocalStack. `executor` has the methods that LocalStack
calls, and decides when a new process starts. `loopback` is a web server that only this machine can reach. `plugin`
has the entry points.

There is no isolation: functions run with the rights, the files and the network of the user that started LocalStack.
Layers, extensions, memory limits and runtimes other than `provided.*` are not supported.
"""
