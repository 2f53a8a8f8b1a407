"""PromptPO: Prompted Policy Optimization as a service, the Python half."""
