"""What paho-mqtt, the client library most Python programs use, has to see of the broker.

    python stories.py STORY VERSION TRANSPORT PORT [WEBSOCKET_PATH]

Each story is a function below. It ends with status 0 when all it says is true, and else with a
traceback. VERSION is 3.1.1 or 5, TRANSPORT is tcp or websockets. Nothing sleeps: every wait is for
something to happen, and PATIENCE bounds it.
"""

import faulthandler
import socket
import sys
import threading

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

HOST = "127.0.0.1"
# In seconds. It bounds a failure and costs nothing otherwise.
PATIENCE = 90


class Client:
    """A paho client in a thread of its own, and all that happened to it, to wait for."""

    def __init__(self, settings, client_id="", clean=True, will=None):
        settings.clients.append(self)
        self.is_v5 = settings.version == mqtt.MQTTv5
        self.changed = threading.Condition()
        self.messages = []
        self.acknowledged = set()
        self.session_present = None
        self.connected = False
        self.disconnected = False
        options = {} if self.is_v5 else {"clean_session": clean}
        self.paho = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=settings.version,
            transport=settings.transport,
            reconnect_on_failure=False,
            **options,
        )
        self.paho.enable_logger()
        if settings.transport == "websockets":
            self.paho.ws_set_options(path=settings.path)
        if will is not None:
            self.paho.will_set(will[0], will[1], qos=1)
        self.paho.on_connect = self._on_connect
        self.paho.on_disconnect = self._on_disconnect
        self.paho.on_message = self._on_message
        self.paho.on_subscribe = lambda _c, _u, mid, _r, _p: self._acknowledge(("sub", mid))
        self.paho.on_unsubscribe = lambda _c, _u, mid, _r, _p: self._acknowledge(("unsub", mid))
        self.paho.on_publish = lambda _c, _u, mid, _r, _p: self._acknowledge(("pub", mid))
        arguments = {}
        if self.is_v5:
            arguments["clean_start"] = clean
            if not clean:
                arguments["properties"] = Properties(PacketTypes.CONNECT)
                arguments["properties"].SessionExpiryInterval = 3600
        self.paho.connect(HOST, settings.port, keepalive=60, **arguments)
        self.paho.loop_start()
        self.wait_for("to be connected", lambda: self.connected)

    def _happened(self):
        self.changed.notify_all()

    def _on_connect(self, _client, _userdata, flags, reason, _properties):
        with self.changed:
            assert not reason.is_failure, reason
            self.session_present = flags.session_present
            self.connected = True
            self._happened()

    def _on_disconnect(self, _client, _userdata, _flags, _reason, _properties):
        with self.changed:
            self.disconnected = True
            self._happened()

    def _on_message(self, _client, _userdata, message):
        with self.changed:
            self.messages.append(message)
            self._happened()

    def _acknowledge(self, what):
        with self.changed:
            self.acknowledged.add(what)
            self._happened()

    def wait_for(self, what, condition):
        with self.changed:
            come = self.changed.wait_for(lambda: condition() or self.disconnected, PATIENCE)
            seen = [(m.topic, bytes(m.payload[:40])) for m in self.messages[-5:]]
            assert condition(), f"waited for {what}: {'disconnected' if come else 'it never came'}; " \
                f"{len(self.messages)} messages, the last ones {seen}"

    def subscribe(self, topic_filter, qos=0):
        _, mid = self.paho.subscribe(topic_filter, qos)
        self.wait_for("SUBACK", lambda: ("sub", mid) in self.acknowledged)

    def unsubscribe(self, topic_filter):
        _, mid = self.paho.unsubscribe(topic_filter)
        self.wait_for("UNSUBACK", lambda: ("unsub", mid) in self.acknowledged)

    def publish(self, topic, payload, qos=0, **options):
        mid = self.paho.publish(topic, payload, qos, **options).mid
        self.wait_for("the message to be sent", lambda: ("pub", mid) in self.acknowledged)

    def expect(self, *expected):
        """Exactly these messages, given as (topic, payload, QoS), have come since the last time.

        To see that no more come, this client then sends one to itself.
        """
        fence = f"fence/{id(self)}"
        self.wait_for(f"{len(expected)} messages", lambda: len(self.messages) >= len(expected))
        self.subscribe(fence, 1)
        self.publish(fence, "that was all", 1)
        self.wait_for("the last message", lambda: self.messages[-1].topic == fence)
        self.unsubscribe(fence)
        with self.changed:
            received = [(m.topic, bytes(m.payload), m.qos) for m in self.messages[:-1]]
            self.messages.clear()
        expected = [(topic, payload.encode(), qos) for topic, payload, qos in expected]
        assert received == expected, f"received {received}, expected {expected}"

    def disconnect(self):
        """Does nothing where the connection has ended already."""
        self.paho.disconnect()
        with self.changed:
            assert self.changed.wait_for(lambda: self.disconnected, PATIENCE), "DISCONNECT"
        self.paho.loop_stop()

    def cut_off(self):
        """Ends the connection without a DISCONNECT."""
        stream = self.paho.socket()
        # Over a WebSocket this is paho's own wrapper; shutting down the TCP connection below it
        # is what a lost network looks like.
        stream = getattr(stream, "_socket", stream)
        stream.shutdown(socket.SHUT_RDWR)
        with self.changed:
            assert self.changed.wait_for(lambda: self.disconnected, PATIENCE), "end of connection"
        self.paho.loop_stop()


def messages_of_each_qos(settings):
    reader, writer = Client(settings), Client(settings)
    for subscribed in (0, 1, 2):
        reader.subscribe("room/+", subscribed)
        for published in (0, 1, 2):
            writer.publish("room/a", f"{subscribed}{published}", published)
            reader.expect(("room/a", f"{subscribed}{published}", min(subscribed, published)))


def retained_messages(settings):
    writer = Client(settings)
    writer.publish("kept/a", "old", 1, retain=True)
    writer.publish("kept/a", "new", 1, retain=True)
    writer.publish("kept/b", "other", 2, retain=True)
    reader = Client(settings)
    reader.subscribe("kept/a", 2)
    reader.expect(("kept/a", "new", 1))
    reader.subscribe("kept/b", 2)
    reader.wait_for("the retained message", lambda: reader.messages)
    assert reader.messages[0].retain, "what waited for a subscriber is marked as retained"
    reader.expect(("kept/b", "other", 2))
    writer.publish("kept/b", "live", 1, retain=True)
    reader.wait_for("the live message", lambda: reader.messages)
    assert not reader.messages[0].retain, "what comes to a subscriber as it is sent is not"
    reader.expect(("kept/b", "live", 1))
    for topic in ("kept/a", "kept/b"):
        writer.publish(topic, b"", 1, retain=True)
    late = Client(settings)
    late.subscribe("kept/#", 2)
    late.expect()


def wills(settings):
    reader = Client(settings)
    reader.subscribe("wills/#", 1)
    Client(settings, will=("wills/cut-off", "gone")).cut_off()
    reader.expect(("wills/cut-off", "gone", 1))
    Client(settings, will=("wills/clean", "gone")).disconnect()
    reader.expect()


def wildcards_and_unsubscribing(settings):
    reader, writer = Client(settings), Client(settings)
    every = Client(settings)
    every.subscribe("#", 1)
    reader.subscribe("house/+/temperature", 1)
    reader.subscribe("garden/#", 1)
    topics = ["house/kitchen/temperature", "house/kitchen/humidity", "house/temperature",
              "garden", "garden/north/temperature", "$hidden/a"]
    for topic in topics:
        writer.publish(topic, topic, 1)
    matched = [topics[0], topics[3], topics[4]]
    reader.expect(*[(topic, topic, 1) for topic in matched])
    every.wait_for("all but the hidden one", lambda: len(every.messages) >= 5)
    named = [message.topic for message in every.messages if not message.topic.startswith("fence/")]
    assert named == topics[:5], named
    reader.unsubscribe("garden/#")
    for topic in topics:
        writer.publish(topic, topic, 1)
    reader.expect((topics[0], topics[0], 1))


def a_session_that_is_kept(settings):
    reader = Client(settings, client_id="collector", clean=False)
    assert not reader.session_present
    reader.subscribe("missed/#", 2)
    reader.disconnect()
    writer = Client(settings)
    for qos in (1, 2):
        for number in range(10):
            writer.publish("missed/a", str(number), qos)
        reader = Client(settings, client_id="collector", clean=False)
        assert reader.session_present
        reader.expect(*[("missed/a", str(number), qos) for number in range(10)])
        reader.disconnect()
    reader = Client(settings, client_id="collector", clean=True)
    assert not reader.session_present
    writer.publish("missed/a", "not for this one", 1)
    reader.expect()


def properties(settings):
    """MQTT 5.0 alone."""
    reader, writer = Client(settings), Client(settings)
    reader.subscribe("ask", 1)
    sent = Properties(PacketTypes.PUBLISH)
    sent.ContentType = "application/json"
    sent.ResponseTopic = "answers/1"
    sent.CorrelationData = b"\x00\xff question"
    sent.MessageExpiryInterval = 3600
    sent.PayloadFormatIndicator = 1
    sent.UserProperty = [("unit", "°C"), ("unit", "again")]
    writer.publish("ask", "{}", 1, properties=sent)
    reader.wait_for("the message", lambda: reader.messages)
    received = reader.messages[0].properties
    for name in ("ContentType", "ResponseTopic", "CorrelationData", "MessageExpiryInterval",
                 "PayloadFormatIndicator", "UserProperty"):
        assert getattr(received, name) == getattr(sent, name), name
    reader.expect(("ask", "{}", 1))


def a_payload_of_a_megabyte(settings):
    reader, writer = Client(settings), Client(settings)
    reader.subscribe("big", 2)
    payload = bytes(index * 31 % 251 for index in range(1_000_000))
    for qos in (0, 1, 2):
        writer.publish("big", payload, qos)
        reader.wait_for("the message", lambda: reader.messages)
        assert bytes(reader.messages[0].payload) == payload, f"QoS {qos}: differs"
        reader.messages.clear()


def many_messages(settings, qos):
    """Ten thousand in order, none lost, none twice."""
    count = 10_000
    # So far may the reader be behind. More would wait in the broker, which keeps only so many for
    # one client, and in the writer's own queue, through which paho looks again and again.
    behind_max = 100
    reader, writer = Client(settings), Client(settings)
    reader.subscribe("count", qos)
    for number in range(count):
        reader.wait_for("the first ones", lambda: number - len(reader.messages) < behind_max)
        writer.paho.publish("count", str(number), qos)
    reader.wait_for(f"{count} messages", lambda: len(reader.messages) >= count)
    reader.expect(*[("count", str(number), qos) for number in range(count)])


def many_messages_of_qos_0(settings):
    many_messages(settings, 0)


def many_messages_of_qos_1(settings):
    many_messages(settings, 1)


def many_messages_of_qos_2(settings):
    many_messages(settings, 2)


class Settings:
    """How to connect."""

    def __init__(self, version, transport, port, path="/mqtt"):
        self.version = {"3.1": mqtt.MQTTv31, "3.1.1": mqtt.MQTTv311, "5": mqtt.MQTTv5}[version]
        self.transport = transport
        self.port = int(port)
        self.path = path
        self.clients = []


if __name__ == "__main__":
    # Where a story stands that neither ends nor fails.
    faulthandler.dump_traceback_later(2 * PATIENCE, exit=True)
    used = Settings(*sys.argv[2:])
    globals()[sys.argv[1]](used)
    for client in used.clients:
        client.disconnect()
