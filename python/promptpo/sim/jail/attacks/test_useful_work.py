"""What a policy is there for still works inside: numbers, solvers, trees, planning, imports on the way."""

from __future__ import annotations

from textwrap import dedent

import pytest

from promptpo.sim.jail.testing import Jail

WORK = {
    "linear algebra": """
        matrix = np.arange(9.0).reshape(3, 3) + 9 * np.eye(3)
        solved = np.linalg.solve(matrix, matrix @ np.ones(3))
        u, s, v = np.linalg.svd(matrix)
        values, vectors = np.linalg.eig(matrix)
        assert np.allclose(solved, 1) and np.allclose(u * s @ v, matrix)
        assert np.allclose(matrix @ vectors, vectors * values)
        large = np.ones((300, 300)) @ np.ones((300, 300))
        assert large[0, 0] == 300
    """,
    "matrix functions and control": """
        import scipy.linalg as la
        a, b = np.array([[0.0, 1.0], [0.0, 0.0]]), np.array([[0.0], [1.0]])
        gain = b.T @ la.solve_continuous_are(a, b, np.eye(2), np.eye(1))
        assert (la.eigvals(a - b @ gain).real < 0).all()
        assert np.allclose(la.expm(np.zeros((2, 2))), np.eye(2))
    """,
    "minimization": """
        from scipy.optimize import minimize
        for method in ("BFGS", "L-BFGS-B", "Nelder-Mead", "Powell", "CG", "SLSQP", "TNC", "trust-constr"):
            found = minimize(lambda x: ((x - 1) ** 2).sum(), [0.0, 3.0], method=method)
            assert np.allclose(found.x, 1, atol=1e-2), method
    """,
    "what scipy imports on the way": """
        from scipy.linalg import fractional_matrix_power, logm
        from scipy.optimize import minimize
        for method in ("COBYLA", "COBYQA"):
            found = minimize(lambda x: ((x - 1) ** 2).sum(), [0.0, 3.0], method=method)
            assert np.allclose(found.x, 1, atol=1e-2), method
        matrix = np.array([[2.0, 1.0], [1.0, 3.0]])
        root = fractional_matrix_power(matrix, 0.5)
        assert np.allclose(root @ root, matrix)
        assert np.isfinite(logm(matrix)).all()
    """,
    "other optimization": """
        from scipy.optimize import LinearConstraint, brentq, curve_fit, differential_evolution, milp, nnls
        from scipy.optimize import least_squares, linear_sum_assignment, linprog, root
        assert linprog([1, 2], A_ub=[[-1, -1]], b_ub=[-1]).fun == 1
        assert milp([1, 2], constraints=LinearConstraint([[1, 1]], lb=1), integrality=[1, 1]).fun == 1
        assert differential_evolution(lambda x: x @ x, [(-1, 1)] * 2, seed=1).fun < 1e-6
        assert abs(brentq(np.cos, 0, 3) - np.pi / 2) < 1e-9 and root(np.sin, 3.0).success
        assert least_squares(lambda x: x - 2, [0.0]).x[0] == 2 and nnls(np.eye(2), np.ones(2))[1] == 0
        assert list(linear_sum_assignment([[4, 1], [2, 3]])[1]) == [1, 0]
        curve_fit(lambda x, a: a * x, [1.0, 2.0], [2.0, 4.0])
    """,
    "trees": """
        from scipy.spatial import ConvexHull, Delaunay, KDTree, cKDTree, distance
        points = np.random.default_rng(0).random((500, 3))
        for tree in (KDTree(points), cKDTree(points)):
            distances, indices = tree.query(points[:10], k=2)
            assert (indices[:, 0] == np.arange(10)).all() and len(tree.query_ball_point([0.5] * 3, 0.2)) > 0
        ConvexHull(points), Delaunay(points), distance.cdist(points, points)
    """,
    "value iteration": """
        n = 20
        reward, value = -np.ones((n, n)), np.zeros((n, n))
        for _ in range(200):
            around = np.pad(value, 1, constant_values=-np.inf)
            best = np.max([around[:-2, 1:-1], around[2:, 1:-1], around[1:-1, :-2], around[1:-1, 2:]], axis=0)
            value = reward + best
            value[-1, -1] = 0
        assert value[0, 0] == -2 * (n - 1)
    """,
    "shortest paths": """
        import heapq
        from scipy.sparse import csr_matrix, eye
        from scipy.sparse.csgraph import dijkstra, shortest_path
        from scipy.sparse.linalg import eigsh, spsolve
        graph = csr_matrix(np.triu(np.ones((5, 5)), 1))
        assert dijkstra(graph, indices=0)[4] == 1 and shortest_path(graph)[0, 3] == 1
        assert np.allclose(spsolve(2 * eye(50, format="csc"), np.ones(50)), 0.5)
        eigsh(eye(50) * 2.0, k=2)
        queue = [(3, "c"), (1, "a")]
        heapq.heapify(queue)
        assert heapq.heappop(queue) == (1, "a")
    """,
    "integration, interpolation, signals": """
        from scipy.fft import fft, ifft
        from scipy.integrate import odeint, quad, solve_ivp
        from scipy.interpolate import CubicSpline, RBFInterpolator
        from scipy.ndimage import gaussian_filter, label
        from scipy.signal import butter, lfilter, savgol_filter
        from scipy.spatial.transform import Rotation
        from scipy.stats import norm
        assert abs(quad(np.sin, 0, np.pi)[0] - 2) < 1e-9
        assert solve_ivp(lambda t, y: -y, (0, 1), [1.0]).success
        odeint(lambda y, t: -y, [1.0], [0, 1])
        assert CubicSpline([0, 1, 2], [0, 1, 4])(1) == 1
        assert np.allclose(ifft(fft(np.arange(8.0))), np.arange(8))
        RBFInterpolator(np.arange(20.0).reshape(10, 2) ** 2, np.arange(10.0))(np.zeros((1, 2)))
        lfilter(*butter(2, 0.5), savgol_filter(np.arange(20.0), 5, 2)), gaussian_filter(np.ones((5, 5)), 1)
        assert label(np.eye(3))[1] == 3 and norm.cdf(0) == 0.5
        Rotation.from_euler("xyz", [0.1, 0.2, 0.3]).as_quat()
    """,
    "imports on the way": """
        import argparse, bdb, cmd, codeop, colorsys, configparser, difflib, doctest, email.message, fileinput
        import gettext, html.parser, http.client, imaplib, json.tool, logging.handlers, mailbox, mimetypes
        import netrc, nturl2path, optparse, pickletools, pprint, profile, pstats, pyclbr, rlcompleter, sched
        import shelve, shlex, statistics, symtable, tabnanny, telnetlib, timeit, trace
    """,
    "what policies import": """
        import abc, bisect, cmath, collections, contextlib, copy, dataclasses, datetime, decimal, enum
        import fractions, functools, hashlib, itertools, json, math, operator, queue, random, re, statistics
        import string, time, typing, unittest, urllib.parse, xml.etree.ElementTree
        @dataclasses.dataclass(frozen=True)
        class Node:
            cost: float
            path: tuple = ()
        assert json.loads(json.dumps({"a": 1})) == {"a": 1} and copy.deepcopy(Node(1.0)) == Node(1.0)
        assert statistics.mean([1, 2, 3]) == 2 and fractions.Fraction(1, 3) * 3 == 1
        assert xml.etree.ElementTree.fromstring("<a b='1'/>").get("b") == "1"
    """,
    "callbacks, generators, exceptions, signals": """
        import contextlib, signal, warnings
        with contextlib.suppress(ZeroDivisionError), warnings.catch_warnings():
            1 / 0
        with np.errstate(divide="ignore"):
            assert np.isinf(np.float64(1) / 0)
        signal.signal(signal.SIGUSR1, lambda *_: None)
        signal.raise_signal(signal.SIGUSR1)
        assert sum(x for x in range(10)) == 45 and sorted("cab", key=ord) == list("abc")
    """,
}


@pytest.mark.parametrize("work", WORK)
def test_useful_work(jail: Jail, work: str) -> None:
    assert len(jail.acts(dedent(WORK[work]) + "\nreturn [0, 0]")) == 1
