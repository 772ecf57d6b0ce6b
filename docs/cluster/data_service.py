"""A dispatcher or a worker of tf.data service, for --data_service.

    python data_service.py dispatcher --port=5000
    python data_service.py worker --dispatcher=first:5000 --address=second:5001

It needs TensorFlow alone, of the version that the training has, and sees the
data's files under the names that the training gives them.
"""

import argparse
import socket

import tensorflow as tf

service = tf.data.experimental.service


def main() -> None:
    """Serves until it is stopped."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("role", choices=("dispatcher", "worker"))
    parser.add_argument("--port", type=int, help="where a dispatcher listens")
    parser.add_argument(
        "--dispatcher", help="host:port of a worker's dispatcher"
    )
    parser.add_argument(
        "--address", help="host:port by which trainers reach a worker"
    )
    args = parser.parse_args()
    if args.role == "dispatcher":
        if args.port is None:
            parser.error("expected --port of a dispatcher. Received: none")
        server = service.DispatchServer(
            service.DispatcherConfig(port=args.port)
        )
    else:
        if not args.dispatcher or not args.address:
            parser.error(
                "expected --dispatcher and --address of a worker. Received: "
                f"dispatcher={args.dispatcher}, address={args.address}"
            )
        host, _, port = args.address.rpartition(":")
        if not host or not port.isdecimal():
            parser.error(
                f"expected --address=host:port. Received: {args.address}"
            )
        server = service.WorkerServer(
            service.WorkerConfig(
                dispatcher_address=args.dispatcher.removeprefix("grpc://"),
                worker_address=args.address,
                port=int(port),
            )
        )
    print(f"{args.role} on {socket.gethostname()}: serving", flush=True)
    server.join()


if __name__ == "__main__":
    main()
