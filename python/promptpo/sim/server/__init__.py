"""The grpc side of a sidecar: methods, status errors, the lane to the worker, the process's life."""
