"""paho-mqtt over TLS: python secure.py TRANSPORT PORT CAFILE VERSION

Connects, subscribes, publishes to itself and ends with status 0 when the message has come back.
TRANSPORT is tcp or websockets, VERSION 1.2 or 1.3.
"""

import ssl
import sys
import threading

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

PATIENCE = 90


def main(transport, port, cafile, version):
    done = threading.Event()
    client = mqtt.Client(CallbackAPIVersion.VERSION2, transport=transport)
    context = ssl.create_default_context(cafile=cafile)
    only = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}[version]
    context.minimum_version = context.maximum_version = only
    client.tls_set_context(context)
    payload = b"x" * 100_000

    def on_connect(client, userdata, flags, reason, properties):
        client.subscribe("a/b", qos=1)

    def on_subscribe(client, userdata, mid, codes, properties):
        client.publish("a/b", payload, qos=1)

    def on_message(client, userdata, message):
        if message.payload == payload:
            done.set()

    client.on_connect = on_connect
    client.on_subscribe = on_subscribe
    client.on_message = on_message
    client.connect("localhost", port)
    client.loop_start()
    if not done.wait(PATIENCE):
        sys.exit("the message did not come back")
    client.disconnect()
    client.loop_stop()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:])
