"""A running envoy-configs/models-everywhere for test modules, and what its upstreams saw.

It runs once, for all modules that use it, and ends with the tests.
"""

import collections
import http.client
import unittest

import dialects
import gateway
import recorder
import stack

# The upstreams by the name of their cluster.
UPSTREAMS = {"self-hosted": "SELF_HOSTED_PORT", "long-context": "ANTHROPIC_PORT", "cloud": "OPENAI_PORT",
             "bedrock": "BEDROCK_PORT"}
# What Envoy signs with.
AWS = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "canary-aws-5b1e"}
# A provider beside the gateway, which shows what a client sends.
DIRECT = "direct"
FACTS = "x-gateway-"
RUNNING = []

Seen = collections.namedtuple("Seen", "path facts headers body")


def running():
    """The gateway and its upstreams, started by the first who asks.

    The upstreams stay: Envoy keeps a connection that it made for a request which then was refused.
    """
    if not RUNNING:
        ports = stack.free_ports((*stack.PORTS, *stack.MORE_PORTS, DIRECT))
        direct = ports.pop(DIRECT)
        upstreams = {name: recorder.Recorder(ports[port], dialects.answer) for name, port in UPSTREAMS.items()}
        upstreams[DIRECT] = recorder.Recorder(direct, dialects.answer)
        for upstream in upstreams.values():
            upstream.__enter__()
        started = gateway.start("everywhere", (), ports, config="models-everywhere")
        started.secrets = AWS
        RUNNING.extend((started.__enter__(), upstreams, "http://127.0.0.1:%d" % direct))
    return RUNNING


class Case(unittest.TestCase):
    """A test that begins with upstreams that saw nothing."""

    def setUp(self):
        self.gateway, self.upstreams, self.direct = running()
        self.base = self.gateway.gateway
        for upstream in self.upstreams.values():
            upstream.forget()

    def seen(self, name):
        """The one request that the upstream `name` got, and no other upstream."""
        self.assertEqual({each: upstream.paths for each, upstream in self.upstreams.items() if upstream.paths},
                         {name: self.upstreams[name].paths[:1]})
        upstream = self.upstreams[name]
        path, (pairs, body) = upstream.paths.pop(), upstream.requests.pop()
        headers, facts = {}, {}
        for header, value in pairs:
            header = header.lower()
            self.assertNotIn(header, headers, "written twice")
            headers[header] = value
            if header.startswith(FACTS):
                facts[header[len(FACTS):]] = value
        return Seen(path, facts, headers, body)

    def through(self, name, call):
        """What `call` returns, and what its request is when sent straight to a provider, and at the upstream `name` of
        the gateway. `call` gets the address of either."""
        call(self.direct)
        sent = self.seen(DIRECT)
        answer = call(self.base)
        got = self.seen(name)
        self.assertNotIn(gateway.ALICE, str(got))
        self.assertEqual(got.headers.get("content-type"), sent.headers.get("content-type"))
        return answer, sent, got

    def assert_nothing_arrived(self):
        self.assertEqual({name: upstream.paths for name, upstream in self.upstreams.items() if upstream.paths}, {})

    def assert_renamed(self, sent, got, old, new):
        """The body arrived with one name in the place of another, and not one byte more was changed."""
        self.assertEqual(sent.body.count(old), 1)
        self.assertEqual(got.body, sent.body.replace(old, new))

    def raw(self, method, path, body=None, headers=(), port="GATEWAY_PORT", key=gateway.ALICE):
        """Status, headers and body of the answer to a request as it is; a list is sent in chunks."""
        fields = {"content-type": "application/json"}
        if key:
            fields["authorization"] = "Bearer " + key
        fields.update((name.lower(), value) for name, value in dict(headers).items())
        connection = http.client.HTTPConnection("127.0.0.1", self.gateway.ports[port], timeout=20)
        self.addCleanup(connection.close)
        connection.request(method, path, body, fields, encode_chunked=isinstance(body, list))
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read()
