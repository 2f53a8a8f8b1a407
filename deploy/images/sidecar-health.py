"""`python sidecar-health.py 127.0.0.1:41001`: exit code 0 when the sidecar there serves.

For exec probes: a sidecar listens on loopback, where the kubelet's own gRPC probe does not reach it.
"""

import sys

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

REQUEST = health_pb2.HealthCheckRequest(service="promptpo.sim.v1.Simulator")

with grpc.insecure_channel(sys.argv[1]) as channel:
    try:
        status = health_pb2_grpc.HealthStub(channel).Check(REQUEST, timeout=5).status
    except grpc.RpcError as error:
        sys.exit(f"{sys.argv[1]}: {error.code().name}: {error.details()}")
if status != health_pb2.HealthCheckResponse.SERVING:
    sys.exit(f"{sys.argv[1]}: {health_pb2.HealthCheckResponse.ServingStatus.Name(status)}")
