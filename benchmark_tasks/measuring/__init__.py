"""What language and diffusion measurements share: how a run is landed."""
