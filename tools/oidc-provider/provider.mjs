// A real OpenID provider, laid out as a Keycloak realm, for the tests of signing in. Its set-up comes as JSON on stdin:
// {port, clients: [...], users: {name: {sub, password, roles, email}}, audiences: {client_id: audience}}.
// PUT /-/users/<name> changes a person while it runs.
import http from "node:http";
import Provider from "oidc-provider";

const realm = "/realms/home";
const protocol = "/protocol/openid-connect";
let text = "";
for await (const chunk of process.stdin) text += chunk;
const setup = JSON.parse(text);
const issuer = `http://127.0.0.1:${setup.port}${realm}`;
const bySubject = (sub) => Object.entries(setup.users).find(([, user]) => user.sub === sub);

const provider = new Provider(issuer, {
  clients: setup.clients,
  cookies: { keys: ["of a test"] },
  // Its own client refuses loopback, where the portal of a test is.
  fetch: (url, { dispatcher: _, ...options }) => globalThis.fetch(url, options),
  routes: {
    authorization: `${protocol}/auth`,
    token: `${protocol}/token`,
    jwks: `${protocol}/certs`,
    userinfo: `${protocol}/userinfo`,
    end_session: `${protocol}/logout`,
  },
  claims: { openid: ["sub"], profile: ["preferred_username", "name"], email: ["email", "email_verified"] },
  conformIdTokenClaims: false,
  features: {
    devInteractions: { enabled: false },
    backchannelLogout: { enabled: true },
    rpInitiatedLogout: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => "urn:default",
      useGrantedResource: () => true,
      getResourceServerInfo: (_ctx, _resource, client) => ({
        scope: "openid profile email",
        audience: setup.audiences[client.clientId] ?? client.clientId,
        accessTokenFormat: "jwt",
        accessTokenTTL: 300,
      }),
    },
  },
  // Keycloak tells realm roles in the access token, and gives each session one id for all clients.
  extraTokenClaims: async (_ctx, token) => {
    const [name, user] = bySubject(token.accountId) ?? [];
    if (!user) return undefined;
    const session = token.sessionUid && (await provider.Session.findByUid(token.sessionUid));
    return {
      typ: "Bearer",
      azp: token.clientId,
      preferred_username: name,
      realm_access: { roles: user.roles },
      ...(session ? { sid: session.sidFor(setup.clients[0].client_id) } : {}),
    };
  },
  findAccount: (_ctx, sub) => {
    const [name, user] = bySubject(sub) ?? [];
    if (!user) return undefined;
    const claims = { sub, preferred_username: name, name: user.name, email: user.email, email_verified: true };
    return { accountId: sub, claims: () => claims };
  },
  interactions: { url: (_ctx, interaction) => `${realm}/login/${interaction.uid}` },
  pkce: { required: () => true },
  issueRefreshToken: async () => true,
  ttl: { AccessToken: 300, Grant: 3600, IdToken: 300, Interaction: 600, RefreshToken: 3600, Session: 3600 },
});
for (const event of ["server_error", "grant.error", "authorization.error", "backchannel.error", "end_session.error"]) {
  provider.on(event, (...given) => {
    const error = given.find((one) => one instanceof Error);
    process.stderr.write(`${event}: ${error?.message} ${error?.error_description ?? ""} ${error?.cause?.message ?? ""}\n`);
  });
}

const form =
  '<form method="post"><input name="username"><input name="password" type="password"><button id="kc-login">Sign in</button></form>';

async function read(request) {
  let body = "";
  for await (const chunk of request) body += chunk;
  return body;
}

async function interact(request, response) {
  const details = await provider.interactionDetails(request, response);
  if (request.method === "GET" && details.prompt.name === "login") {
    response.setHeader("content-type", "text/html");
    return response.end(form);
  }
  if (details.prompt.name === "consent") {
    const grant = new provider.Grant({ accountId: details.session.accountId, clientId: details.params.client_id });
    const missing = details.prompt.details;
    if (missing.missingOIDCScope) grant.addOIDCScope(missing.missingOIDCScope.join(" "));
    if (missing.missingOIDCClaims) grant.addOIDCClaims(missing.missingOIDCClaims);
    for (const [resource, scopes] of Object.entries(missing.missingResourceScopes ?? {})) {
      grant.addResourceScope(resource, scopes.join(" "));
    }
    const consent = { grantId: await grant.save() };
    return provider.interactionFinished(request, response, { consent }, { mergeWithLastSubmission: true });
  }
  const given = new URLSearchParams(await read(request));
  const user = setup.users[given.get("username")];
  if (!user || user.password !== given.get("password")) {
    response.statusCode = 401;
    return response.end(form);
  }
  return provider.interactionFinished(request, response, { login: { accountId: user.sub } });
}

const answer = provider.callback();
const server = http.createServer(async (request, response) => {
  try {
    if (request.method === "PUT" && request.url.startsWith("/-/users/")) {
      Object.assign(setup.users[request.url.slice("/-/users/".length)], JSON.parse(await read(request)));
      response.end("{}");
    } else if (request.url.startsWith(`${realm}/login/`)) {
      await interact(request, response);
    } else if (request.url.startsWith(realm)) {
      request.originalUrl = request.url;
      request.url = request.url.slice(realm.length) || "/";
      answer(request, response);
    } else {
      response.statusCode = 404;
      response.end();
    }
  } catch (error) {
    process.stderr.write(`${error.stack}\n`);
    response.statusCode = 500;
    response.end();
  }
});
server.listen(setup.port, "127.0.0.1", () => process.stdout.write("ready\n"));
