"""SciPy's own tests hold problems with gradients, and marks that it registers for itself."""


def pytest_configure(config):
    for mark in (
        "parallel_threads_limit",
        "thread_unsafe",
        "fail_slow",
        "xslow",
        "slow",
        "skip_xp_backends",
        "xfail_xp_backends",
        "xfail_on_32bit",
        "array_api_backends",
        "iterations",
        "skip_xp_invalid_arg",
        "uses_xp_capabilities",
    ):
        config.addinivalue_line("markers", f"{mark}: one of SciPy's")
