//! Deploys Compose files on a Docker Engine.
