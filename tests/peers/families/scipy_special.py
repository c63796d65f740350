"""SciPy's special functions: those that come with a derivative, and pairs with a known closed form."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from cases import Case, weighed
from scipy import special as sp

ROOT_PI = np.sqrt(np.pi)


def _real(rng, n):
    return rng.normal(size=n) * 10 ** rng.uniform(-2, 0.5)


def _positive(rng, n):
    return rng.uniform(0.05, 8, n)


def _large(rng, n):
    return 10 ** rng.uniform(-3, 3, n)


def _unit(rng, n):
    return rng.uniform(0.01, 0.99, n)


def _degrees(rng, n):
    return rng.uniform(0, 90, n)


def _with_derivative(function, *orders):
    """A Legendre function and its first derivative."""
    return lambda x: function(*orders, x), lambda x: function(*orders, x, diff_n=1)[1]


def _of_degrees(function, *orders):
    """A function of an angle in degrees, and its derivative, which the library has per radian."""
    return lambda x: function(*orders, x)[0], lambda x: np.deg2rad(1) * function(*orders, x)[1]


CLOSED_FORMS = [
    ("gammaln", sp.gammaln, sp.psi, _large),
    ("gamma", sp.gamma, lambda x: sp.gamma(x) * sp.psi(x), _positive),
    ("psi", sp.psi, lambda x: sp.polygamma(1, x), _large),
    ("polygamma1", lambda x: sp.polygamma(1, x), lambda x: sp.polygamma(2, x), _positive),
    ("rgamma", sp.rgamma, lambda x: -sp.psi(x) * sp.rgamma(x), _positive),
    ("erf", sp.erf, lambda x: 2 / ROOT_PI * np.exp(-(x**2)), _real),
    ("erfc", sp.erfc, lambda x: -2 / ROOT_PI * np.exp(-(x**2)), _real),
    ("erfcx", sp.erfcx, lambda x: 2 * x * sp.erfcx(x) - 2 / ROOT_PI, _real),
    ("erfi", sp.erfi, lambda x: 2 / ROOT_PI * np.exp(x**2), _unit),
    ("erfinv", sp.erfinv, lambda x: ROOT_PI / 2 * np.exp(sp.erfinv(x) ** 2), _unit),
    ("dawsn", sp.dawsn, lambda x: 1 - 2 * x * sp.dawsn(x), _real),
    ("ndtr", sp.ndtr, lambda x: np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi), _real),
    ("log_ndtr", sp.log_ndtr, lambda x: np.exp(-(x**2) / 2 - sp.log_ndtr(x)) / np.sqrt(2 * np.pi), _real),
    ("ndtri", sp.ndtri, lambda p: np.sqrt(2 * np.pi) * np.exp(sp.ndtri(p) ** 2 / 2), _unit),
    ("expit", sp.expit, lambda x: sp.expit(x) * sp.expit(-x), _real),
    ("log_expit", sp.log_expit, lambda x: sp.expit(-x), _real),
    ("logit", sp.logit, lambda p: 1 / (p * (1 - p)), _unit),
    ("entr", sp.entr, lambda x: -np.log(x) - 1, _large),
    ("xlogy", lambda x: sp.xlogy(2.0, x), lambda x: 2 / x, _large),
    ("xlog1py", lambda x: sp.xlog1py(2.0, x), lambda x: 2 / (1 + x), _large),
    ("rel_entr", lambda x: sp.rel_entr(x, 0.3), lambda x: np.log(x / 0.3) + 1, _positive),
    ("kl_div", lambda x: sp.kl_div(x, 0.3), lambda x: np.log(x / 0.3), _positive),
    ("pseudo_huber", lambda x: sp.pseudo_huber(0.7, x), lambda x: x / np.sqrt(1 + (x / 0.7) ** 2), _real),
    ("huber", lambda x: sp.huber(0.7, x), lambda x: np.clip(x, -0.7, 0.7), _real),
    ("boxcox", lambda x: sp.boxcox(x, 0.4), lambda x: x**-0.6, _large),
    ("expm1", sp.expm1, np.exp, _real),
    ("log1p", sp.log1p, lambda x: 1 / (1 + x), _large),
    ("cosm1", sp.cosm1, lambda x: -np.sin(x), _real),
    ("cbrt", sp.cbrt, lambda x: sp.cbrt(x) / (3 * x), _large),
    ("exprel", sp.exprel, lambda x: (np.exp(x) * (x - 1) + 1) / x**2, _positive),
    ("exp2", sp.exp2, lambda x: np.log(2) * sp.exp2(x), _real),
    ("expi", sp.expi, lambda x: np.exp(x) / x, _positive),
    ("exp1", sp.exp1, lambda x: -np.exp(-x) / x, _positive),
    ("expn", lambda x: sp.expn(3, x), lambda x: -sp.expn(2, x), _positive),
    ("sici_si", lambda x: sp.sici(x)[0], lambda x: np.sin(x) / x, _positive),
    ("sici_ci", lambda x: sp.sici(x)[1], lambda x: np.cos(x) / x, _positive),
    ("shichi_shi", lambda x: sp.shichi(x)[0], lambda x: np.sinh(x) / x, _positive),
    ("fresnel_s", lambda x: sp.fresnel(x)[0], lambda x: np.sin(np.pi * x**2 / 2), _real),
    ("fresnel_c", lambda x: sp.fresnel(x)[1], lambda x: np.cos(np.pi * x**2 / 2), _real),
    ("spence", sp.spence, lambda x: np.log(x) / (1 - x), _positive),
    ("lambertw", lambda x: sp.lambertw(x).real, lambda x: 1 / (x + np.exp(sp.lambertw(x).real)), _large),
    ("wrightomega", sp.wrightomega, lambda x: sp.wrightomega(x) / (1 + sp.wrightomega(x)), _real),
    ("j0", sp.j0, lambda x: -sp.j1(x), _positive),
    ("y0", sp.y0, lambda x: -sp.y1(x), _positive),
    ("i0", sp.i0, sp.i1, _real),
    ("i0e", sp.i0e, lambda x: sp.i1e(x) - sp.i0e(x), _positive),
    ("k0", sp.k0, lambda x: -sp.k1(x), _positive),
    ("ellipk", sp.ellipk, lambda m: (sp.ellipe(m) / (1 - m) - sp.ellipk(m)) / (2 * m), _unit),
    ("ellipe", sp.ellipe, lambda m: (sp.ellipe(m) - sp.ellipk(m)) / (2 * m), _unit),
    ("ellipkinc", lambda x: sp.ellipkinc(x, 0.4), lambda x: 1 / np.sqrt(1 - 0.4 * np.sin(x) ** 2), _real),
    ("ellipeinc", lambda x: sp.ellipeinc(x, 0.4), lambda x: np.sqrt(1 - 0.4 * np.sin(x) ** 2), _real),
    ("gammainc", lambda x: sp.gammainc(2.5, x), lambda x: x**1.5 * np.exp(-x) / sp.gamma(2.5), _positive),
    ("gammaincc", lambda x: sp.gammaincc(0.5, x), lambda x: -(x**-0.5) * np.exp(-x) / ROOT_PI, _positive),
    ("betainc", lambda x: sp.betainc(2, 3.5, x), lambda x: x * (1 - x) ** 2.5 / sp.beta(2, 3.5), _unit),
    ("betaln", lambda x: sp.betaln(x, 2.0), lambda x: sp.psi(x) - sp.psi(x + 2), _large),
    ("stdtr", lambda x: sp.stdtr(3, x), lambda x: 6 * np.sqrt(3) / np.pi / (3 + x**2) ** 2, _real),
    ("hyp1f1", lambda x: sp.hyp1f1(0.7, 1.9, x), lambda x: 0.7 / 1.9 * sp.hyp1f1(1.7, 2.9, x), _real),
    ("hyp2f1", lambda x: sp.hyp2f1(0.7, 1.2, 2, x), lambda x: 0.42 * sp.hyp2f1(1.7, 2.2, 3, x), _unit),
    ("hyp0f1", lambda x: sp.hyp0f1(1.9, x), lambda x: sp.hyp0f1(2.9, x) / 1.9, _real),
    ("zetac", lambda q: sp.zeta(2.5, q), lambda q: -2.5 * sp.zeta(3.5, q), _positive),
    ("struve", lambda x: sp.struve(0, x), lambda x: 2 / np.pi - sp.struve(1, x), _positive),
    ("it2i0k0", lambda x: sp.it2i0k0(x)[0], lambda x: (sp.i0(x) - 1) / x, _positive),
    ("itj0y0", lambda x: sp.itj0y0(x)[0], sp.j0, _positive),
    ("softplus", sp.softplus, sp.expit, _real),
]  # fmt: skip
"""Name, function, derivative, and how points are drawn."""

WITH_DERIVATIVES = [
    ("jvp", lambda x: sp.jv(1.5, x), lambda x: sp.jvp(1.5, x), _positive),
    ("yvp", lambda x: sp.yv(1.5, x), lambda x: sp.yvp(1.5, x), _positive),
    ("ivp", lambda x: sp.iv(2.5, x), lambda x: sp.ivp(2.5, x), _positive),
    ("kvp", lambda x: sp.kv(0.5, x), lambda x: sp.kvp(0.5, x), _positive),
    ("jvp2", lambda x: sp.jvp(2, x), lambda x: sp.jvp(2, x, 2), _positive),
    ("spherical_jn", lambda x: sp.spherical_jn(2, x), lambda x: sp.spherical_jn(2, x, True), _positive),
    ("spherical_yn", lambda x: sp.spherical_yn(2, x), lambda x: sp.spherical_yn(2, x, True), _positive),
    ("spherical_in", lambda x: sp.spherical_in(2, x), lambda x: sp.spherical_in(2, x, True), _positive),
    ("spherical_kn", lambda x: sp.spherical_kn(2, x), lambda x: sp.spherical_kn(2, x, True), _positive),
    ("airy_ai", lambda x: sp.airy(x)[0], lambda x: sp.airy(x)[1], _real),
    ("airy_bi", lambda x: sp.airy(x)[2], lambda x: sp.airy(x)[3], _real),
    ("pbdv", lambda x: sp.pbdv(1.5, x)[0], lambda x: sp.pbdv(1.5, x)[1], _real),
    ("pbvv", lambda x: sp.pbvv(1.5, x)[0], lambda x: sp.pbvv(1.5, x)[1], _real),
    ("pbwa", lambda x: sp.pbwa(0.5, x)[0], lambda x: sp.pbwa(0.5, x)[1], _real),
    ("kelvin_ber", sp.ber, sp.berp, _positive),
    ("kelvin_bei", sp.bei, sp.beip, _positive),
    ("kelvin_ker", sp.ker, sp.kerp, _positive),
    ("kelvin_kei", sp.kei, sp.keip, _positive),
    ("legendre_p", *_with_derivative(sp.legendre_p, 5), _unit),
    ("assoc_legendre_p", *_with_derivative(sp.assoc_legendre_p, 4, 2), _unit),
    ("sph_legendre_p", *_with_derivative(sp.sph_legendre_p, 4, 2), _unit),
    ("mathieu_cem", *_of_degrees(sp.mathieu_cem, 2, 1.5), _degrees),
    ("mathieu_sem", *_of_degrees(sp.mathieu_sem, 2, 1.5), _degrees),
    ("pro_ang1", lambda x: sp.pro_ang1(1, 2, 0.6, x)[0], lambda x: sp.pro_ang1(1, 2, 0.6, x)[1], _unit),
    ("obl_ang1", lambda x: sp.obl_ang1(1, 2, 0.6, x)[0], lambda x: sp.obl_ang1(1, 2, 0.6, x)[1], _unit),
]  # fmt: skip
"""The same, where the library computes both."""


def draw(rng: np.random.Generator) -> Iterator[Case]:
    """One case of each pair."""
    for name, function, derivative, points in CLOSED_FORMS + WITH_DERIVATIVES:
        yield weighed(f"special.{name}", function, derivative, points(rng, int(rng.integers(1, 13))), rng)
    z = rng.normal(size=int(rng.integers(2, 30))) * 10 ** rng.uniform(-2, 1.5)
    yield Case("special.logsumexp", lambda z: float(sp.logsumexp(z)), sp.softmax, z)
    c = rng.normal(size=len(z))

    def log_softmax_gradient(z):
        return c - c.sum() * sp.softmax(z)

    yield Case("special.log_softmax", lambda z: float(c @ sp.log_softmax(z)), log_softmax_gradient, z)
