"""Latent: endless ambient music for a gallery."""
