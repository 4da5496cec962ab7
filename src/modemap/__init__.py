"""Self-organising map and Bayesian Gaussian mixture, and the workflow that keeps them true."""
