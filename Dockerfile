# syntax=docker/dockerfile:1
FROM node:20-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc tsconfig.json tsconfig.build.json ./
COPY scripts ./scripts
COPY src ./src
RUN npm run setup && npm prune --omit=dev --no-save

FROM node:20-slim
ENV NODE_ENV=production HANDLER_HOST=0.0.0.0 HOOK_HOST=0.0.0.0
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
USER node
EXPOSE 9001 9000
# Not through npm, so that SIGTERM reaches the gateway.
ENTRYPOINT ["node", "dist/main.js"]
CMD ["serve"]
